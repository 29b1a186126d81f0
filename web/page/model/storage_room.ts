import type { StoreState } from "../../engine/api.ts";
import { el, replace } from "../dom.ts";
import { type Persistence, requestPersistence } from "../../store/persist.ts";
import { bytesInWords } from "../shell/words.ts";
import type { ModelDesk } from "./model_desk.ts";

/** How much room there is, and whether the browser may take it back. */
export function storageRoom(desk: ModelDesk): HTMLElement {
  const box = el("div", { class: "stack" });
  const answer = el("p", { class: "hint", role: "status" });
  const button = el(
    "button",
    { type: "button", onclick: () => void keepForGood(desk, answer) },
    "Keep for good",
  );
  desk.stored.follow((state) => {
    if (state === undefined) return;
    const row = el("div", { class: "row" }, state.isPersistent === true ? null : button, answer);
    if (state.isPersistent === true && answer.textContent === "") {
      answer.textContent = "The browser keeps all this until you delete it.";
    }
    replace(box, quotaBar(state), row);
  });
  return box;
}

/** Used of allowed, where the browser says so. */
function quotaBar({ usage, quota }: StoreState): HTMLElement | null {
  if (usage === undefined || quota === undefined || quota === 0) return null;
  const words = `${bytesInWords(usage)} of ${bytesInWords(quota)} used`;
  return el(
    "div",
    {},
    el("progress", { max: quota, value: Math.min(usage, quota), "aria-label": `Room: ${words}` }),
    el("p", { class: "hint number" }, `${words}, as this browser estimates it`),
  );
}

const ANSWERS: Readonly<Record<Persistence, string>> = {
  persistent: "The browser agreed: it keeps all this until you delete it.",
  "best-effort":
    "The browser declined. It may remove models when disk space runs short; " +
    "using the page more often, or installing it, can change its mind.",
  unknown: "This browser does not say whether it will.",
};

/** Asks the browser not to remove anything by itself, and tells what it answered. */
async function keepForGood(desk: ModelDesk, answer: HTMLElement): Promise<void> {
  answer.textContent = ANSWERS[await requestPersistence()];
  await desk.refresh();
}
