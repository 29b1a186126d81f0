import { formatNumber } from "../../../bench/report/format.ts";
import { liveChart } from "../charts/live_chart.ts";
import { el, replace } from "../dom.ts";
import { percent } from "../shell/words.ts";
import type { Signal } from "../signal.ts";
import { describeLosses, lossChart } from "./loss_chart.ts";
import type { Run } from "./run_tuning.ts";
import { durationOf } from "./settings.ts";

const UNDER_WAY = "Training; the first step compiles kernels and takes longest.";

/** A run on view: the loss, how fast it goes and how long it takes, and what it changed. */
export function runView(run: Signal<Run>): HTMLElement {
  const chart = liveChart((width) => lossChart(run.value.steps, run.value.total, width));
  const pace = el("p", { class: "number" });
  const words = el("p", { class: "hint", role: "status" });
  const change = el("div", { class: "stack" });
  const figure = el("figure", { class: "stack" }, chart.element, words);
  const element = el("div", { class: "stack", hidden: true }, pace, figure, change);
  run.follow((now) => {
    element.hidden = now.total === 0;
    pace.textContent = paceOf(now, performance.now());
    // Screen readers hear of a run's begin and end, not of each step.
    const losses = now.steps.map(({ loss }) => loss);
    const said = now.cancel === undefined ? describeLosses(losses, now.total) : UNDER_WAY;
    if (words.textContent !== said) words.textContent = said;
    chart.update();
    showChange(change, now);
  });
  return element;
}

/** Where a run is, in a line; `now` as `performance.now()` tells. */
export function paceOf({ steps, total, cancel, firstStepAt }: Run, now: number): string {
  const [last, done] = [steps.at(-1), steps.length];
  if (last === undefined) return cancel === undefined ? "" : `Step 0 of ${total}`;
  const speed = `${formatNumber(last.tokensPerSecond)} tokens/s`;
  if (cancel === undefined) {
    return `${done < total ? "Ended" : "Done"} after ${done} of ${total} steps, ${speed}`;
  }
  // The first step compiles; what follows tells how long a step takes.
  const eachMs = firstStepAt === undefined || done < 2 ? NaN : (now - firstStepAt) / (done - 1);
  const leftMs = eachMs * (total - done);
  const left = leftMs > 0 ? `, ${durationOf(leftMs / 1000)} left` : "";
  return `Step ${done} of ${total}, loss ${formatNumber(last.loss)}, ${speed}${left}`;
}

/** The last told year of the career that is entered, before and after. */
function showChange(element: HTMLElement, { before, after, cancel }: Run): void {
  element.hidden = before === undefined;
  if (before === undefined) return;
  const { title, year, probability } = before;
  replace(
    element,
    el("h3", {}, "The career you entered"),
    el(
      "p",
      {},
      `How probable the model finds its last year, “${title}” in ${year}, when it knows only what came before:`,
    ),
    el(
      "dl",
      { class: "facts" },
      el("dt", {}, "before"),
      el("dd", {}, percent(probability)),
      el("dt", {}, "after"),
      el(
        "dd",
        {},
        after !== undefined
          ? percent(after.probability)
          : cancel === undefined
            ? "…"
            : "once it is done",
      ),
    ),
  );
}
