import type { Prediction } from "../../engine/api.ts";
import { noticeOf, type App } from "../app.ts";
import { el, replace } from "../dom.ts";
import { barChart } from "./bars.ts";
import { ranked, uncertainty } from "./distribution.ts";
import { Predictor } from "./predictor.ts";

/** What a model says of the career that is entered. */
export function resultsPart(app: App): HTMLElement {
  const predictor = new Predictor(app.engine);
  const body = el("div", { class: "results-body", "aria-live": "polite" });
  const missing = el("p", { class: "missing" });
  const ask = () => {
    const { model, career } = { model: app.model.value, career: app.career.value };
    missing.hidden = model !== undefined && career !== undefined;
    if (model === undefined) {
      replace(missing, "There is no model yet: ", el("a", { href: "#model" }, "load one"), ".");
    } else if (career === undefined) {
      replace(missing, "Enter a career first; results follow by themselves.");
    }
    if (model === undefined || career === undefined) predictor.clear();
    else predictor.ask({ career, question: {} });
  };
  app.model.follow(ask);
  app.career.follow(ask);
  predictor.state.follow(({ prediction, isBusy, error }) => {
    body.setAttribute("aria-busy", String(isBusy));
    if (error !== undefined) app.notice.value = noticeOf(error);
    replace(body, prediction !== undefined && predictionView(prediction));
  });
  return el(
    "section",
    { class: "results-part", "aria-labelledby": "results-heading" },
    el("h2", { id: "results-heading" }, "What comes next"),
    missing,
    body,
  );
}

function predictionView({ probabilities, year, last }: Prediction): HTMLElement {
  const shares = ranked(probabilities);
  return el(
    "div",
    {},
    el("p", {}, `Occupations in ${year}. ${uncertainty(probabilities)}`),
    barChart({
      shares: shares.slice(0, 10),
      last,
      full: shares[0]?.probability ?? 1,
      label: `The ten likeliest occupations in ${year}`,
    }),
  );
}
