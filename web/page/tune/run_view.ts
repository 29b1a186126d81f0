import { formatNumber } from "../../../bench/report/format.ts";
import { liveChart } from "../charts/live_chart.ts";
import { el, replace } from "../dom.ts";
import type { Signal } from "../signal.ts";
import { describeLosses, lossChart } from "./loss_chart.ts";
import type { Run } from "./run_tuning.ts";
import { durationOf } from "./settings.ts";
import { percent } from "./told_year.ts";

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
    pace.textContent = paceOf(now);
    // Screen readers hear of a run's begin and end, not of each step.
    const isUnderWay = now.cancel !== undefined && now.steps.length > 0;
    if (!isUnderWay) {
      words.textContent = describeLosses(
        now.steps.map(({ loss }) => loss),
        now.total,
      );
    }
    chart.update();
    showChange(change, now);
  });
  return element;
}

/** Where a run is, in a line. */
export function paceOf({ steps, total, cancel }: Run): string {
  const last = steps.at(-1);
  if (last === undefined) return cancel === undefined ? "" : `Step 0 of ${total}`;
  const speed = `${formatNumber(last.tokensPerSecond)} tokens/s`;
  if (cancel === undefined) {
    return `${steps.length < total ? "Ended" : "Done"} after ${steps.length} of ${total} steps, ${speed}`;
  }
  return `Step ${steps.length} of ${total}, loss ${formatNumber(last.loss)}, ${speed}${timeLeft(steps.length, total)}`;
}

/** When the first step of the run that is under way was seen; the clock of the page. */
let began: { readonly at: number; readonly done: number } | undefined;

function timeLeft(done: number, total: number): string {
  const now = performance.now();
  if (began === undefined || done <= began.done) began = { at: now, done };
  const each = (now - began.at) / (done - began.done);
  return Number.isFinite(each) && done < total
    ? `, ${durationOf((each * (total - done)) / 1000)} left`
    : "";
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
