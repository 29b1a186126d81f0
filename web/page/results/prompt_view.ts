import type { ModelInfo, Prediction } from "../../engine/api.ts";
import { el } from "../dom.ts";

/** The resume as the model reads it. */
export function promptView() {
  const text = el("pre", { class: "prompt", tabindex: 0, "aria-labelledby": "prompt-heading" });
  const note = el("p", { class: "hint" });
  const show = (prediction: Prediction, model: ModelInfo | undefined) => {
    text.textContent = prediction.prompt;
    note.textContent = noteOf(prediction, model);
  };
  const element = el(
    "section",
    { class: "prompt-view" },
    el("h3", { id: "prompt-heading" }, "What the model reads"),
    el("p", { class: "hint" }, "This text, and nothing else. It goes on with a title."),
    text,
    note,
  );
  return { element, show };
}

/** How long the text is, how much the model can read, and whether the wording is sure. */
function noteOf({ prompt, numTokens }: Prediction, model: ModelInfo | undefined): string {
  const lines = prompt.split("\n").length;
  const count = (number: number) => number.toLocaleString("en");
  const size = `${count(prompt.length)} characters in ${lines} lines, ${count(numTokens)} tokens.`;
  if (model === undefined) return size;
  const room = ` The model can read ${count(model.maxSeqLen)} tokens at once.`;
  const doubt = model.isWordingKnown
    ? ""
    : " Its files do not say how it was taught to read careers; this is the usual wording.";
  return size + room + doubt;
}
