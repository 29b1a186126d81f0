import { noticeOf, type App, type Notice } from "../app.ts";
import type { PredictorState } from "./predictor.ts";

/** Tells the errors of a predictor, and takes back what it told once there is an answer again. */
export function errorTeller(app: App): (state: PredictorState) => void {
  let own: Notice | undefined;
  return ({ error, isBusy }) => {
    if (error !== undefined) {
      own = noticeOf(error);
      app.notice.value = own;
    } else if (!isBusy && own !== undefined) {
      if (app.notice.value === own) app.notice.value = undefined;
      own = undefined;
    }
  };
}
