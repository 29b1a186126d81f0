import type { Prediction } from "../../engine/api.ts";
import type { App } from "../app.ts";
import { el, replace } from "../dom.ts";
import { percent } from "../shell/words.ts";
import { changeChart } from "./bars.ts";
import { applyChange, describeChange, type Change } from "./change.ts";
import { button } from "./controls.ts";
import { largestChanges, movedShare } from "./distribution.ts";
import { errorTeller } from "./error_teller.ts";
import { Predictor, type Asked } from "./predictor.ts";
import { whatIfFields } from "./what_if_fields.ts";

/** Bars of the chart. */
const NUM_CHANGES = 10;

/** What changes if something about the career, or the question, is changed. */
export function whatIfView(app: App) {
  let asked: Asked | undefined;
  let before: Prediction | undefined;
  const predictor = new Predictor(app.engine);
  const differences = el("p", { class: "differences", role: "status" });
  const result = el("div", { class: "result" });
  const fields = whatIfFields((change) => ask(change));
  const back = button("Put everything back", () => fields.reset(asked), { class: "quiet" });

  const ask = (change: Change) => {
    const lines = asked === undefined ? [] : describeChange(asked, change);
    back.disabled = lines.length === 0;
    differences.textContent =
      lines.length === 0 ? "Nothing is changed yet." : `${lines.join("; ")}.`;
    if (asked === undefined || lines.length === 0) predictor.clear();
    else predictor.ask(applyChange(asked, change));
  };
  const draw = () => {
    const { prediction, isBusy } = predictor.state.value;
    result.setAttribute("aria-busy", String(isBusy));
    if (prediction === undefined || before === undefined) replace(result);
    else replace(result, ...differenceView(before, prediction));
  };
  predictor.state.follow(errorTeller(app));
  predictor.state.follow(draw);
  const element = el(
    "section",
    { class: "what-if", "aria-labelledby": "what-if-heading" },
    el("h3", { id: "what-if-heading" }, "What if…"),
    el(
      "p",
      { class: "hint" },
      "Change something, and see which probabilities change. This compares people in the data " +
        "who differ in this way; it does not say what the change would cause.",
    ),
    fields.element,
    el("p", { class: "changed" }, differences, back),
    result,
  );
  return {
    element,
    /** Another question: nothing is changed any more. */
    reset(now: Asked | undefined): void {
      asked = now;
      fields.reset(now);
    },
    /** The answer with nothing changed. */
    show(prediction: Prediction | undefined): void {
      before = prediction;
      draw();
    },
  };
}

function differenceView(before: Prediction, after: Prediction): (Node | string)[] {
  const changes = largestChanges(before.probabilities, after.probabilities, NUM_CHANGES);
  const moved = movedShare(before.probabilities, after.probabilities);
  const stay =
    before.stay === undefined || after.stay === undefined || before.last !== after.last
      ? ""
      : ` Staying: ${percent(before.stay)} before, ${percent(after.stay)} after.`;
  return [
    el("p", {}, `In all, ${percent(moved)} of the probability goes to other occupations.${stay}`),
    el("p", { class: "hint" }, "Changes in percentage points, the largest ten:"),
    changeChart(changes, "Changes of probabilities in percentage points"),
  ];
}
