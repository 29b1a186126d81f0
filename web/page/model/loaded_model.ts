import type { ModelInfo } from "../../engine/api.ts";
import type { App } from "../app.ts";
import { el, replace } from "../dom.ts";
import { bytesInWords, countInWords, millisecondsInWords } from "../shell/words.ts";
import type { ModelDesk } from "./model_desk.ts";
import { wordingForm } from "./wording_form.ts";

/** The model that answers: what it is, how it reads careers, what it takes. */
export function loadedModel({ model }: App, desk: ModelDesk): HTMLElement {
  const box = el("div", { class: "stack" });
  let leave = () => {};
  model.follow((now) => {
    leave();
    leave = () => {};
    if (now === undefined) {
      replace(box, el("p", { class: "soft" }, "None yet. Nothing can be predicted without one."));
      return;
    }
    const reload = el("button", { type: "button" });
    leave = offerReload(reload, now, desk);
    const unload = el("button", { type: "button", onclick: () => void desk.unload() }, "Unload");
    replace(
      box,
      facts(now),
      el("div", { class: "row" }, reload, unload),
      !now.isWordingKnown && wordingForm(desk, now.wording),
    );
  });
  return box;
}

function facts(model: ModelInfo): HTMLElement {
  const { wording } = model;
  const rows: readonly (readonly [string, string])[] = [
    ["Name", model.name],
    ["Weights", `${countInWords(model.numParameters)}, as ${model.dtype}`],
    [
      "On the device",
      `${bytesInWords(model.deviceBytes)}, loaded in ${millisecondsInWords(model.loadMs)}`,
    ],
    ["Reads at once", `${model.maxSeqLen.toLocaleString("en-US")} tokens`],
    ["Careers begin", `<A worker from the ${wording.dataset} dataset>`],
    [
      "They tell",
      [
        wording.birthYear ? "the year of birth" : "no year of birth",
        wording.titles === "numeric" ? "occupations as numbers" : "occupations by their titles",
        wording.lastRows === 0 ? "all years" : `the last ${wording.lastRows} years`,
      ].join(", "),
    ],
  ];
  return el(
    "dl",
    { class: "facts" },
    ...rows.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]),
  );
}

/** Offers to load the model again where another precision was chosen since. @returns Ends it. */
function offerReload(button: HTMLButtonElement, model: ModelInfo, desk: ModelDesk): () => void {
  button.addEventListener("click", () => void desk.reload({ dtype: desk.dtype.value }));
  return desk.dtype.follow((dtype) => {
    button.textContent = `Load it again as ${dtype}`;
    button.hidden = dtype === model.dtype;
  });
}
