import type { Career, Observation } from "../../../data/career.ts";
import { doWork, type App } from "../app.ts";
import { el, replace } from "../dom.ts";
import { barChart } from "./bars.ts";
import { button, field, numberField } from "./controls.ts";
import { countOfStayers, summarize } from "./futures.ts";
import { timeline } from "./timeline.ts";

/** Futures that are drawn to be counted. */
const MANY = 20;
const YEARS = { min: 1, max: 20 };

/** Draws futures of the career: one on view, or many, counted. */
export function futureView(app: App) {
  let years = 10;
  let seed = 0;
  const one = el("div", { "aria-live": "polite" });
  const many = el("div", { "aria-live": "polite" });
  const length = numberField("Years", (value) => (years = value));
  length.show(years, YEARS);

  /** Ends what is drawn when the career or the model becomes another, or another click follows. */
  let drawing = new AbortController();
  const begin = () => {
    drawing.abort();
    drawing = new AbortController();
    return drawing.signal;
  };
  const drawOne = async () => {
    const career = app.career.value;
    if (career === undefined) return;
    const own = seed;
    const ended = begin();
    const future = await doWork(app, "Drawing a future", (options) =>
      untilEnded(ended, options.signal, (signal) =>
        app.engine.sampleFuture(career, { ...options, signal, years, seed: own }),
      ),
    );
    if (future === undefined || ended.aborted) return;
    seed = own + 1;
    next.textContent = "Draw another one";
    replace(
      one,
      timeline(career.observations, future),
      el(
        "p",
        { class: "hint" },
        `The paler part is what was entered. Drawn with seed ${own}: the same seed gives the same future.`,
      ),
    );
  };
  const drawMany = async () => {
    const career = app.career.value;
    if (career === undefined) return;
    const futures: Observation[][] = [];
    const ended = begin();
    const numYears = years;
    await doWork(app, `Drawing ${MANY} futures`, (options) =>
      untilEnded(ended, options.signal, async (signal) => {
        for (let i = 0; i < MANY; i++) {
          options.onProgress({
            phase: "sample",
            what: "",
            done: i * numYears,
            total: MANY * numYears,
            unit: "years",
          });
          futures.push(await app.engine.sampleFuture(career, { signal, years: numYears, seed: i }));
        }
      }),
    );
    // What was drawn before it was ended counts.
    if (futures.length > 0 && !ended.aborted) {
      replace(many, summaryView(career, futures));
    }
  };
  const next = button("Draw a future", () => void drawOne());
  const startOver = () => {
    begin();
    seed = 0;
    next.textContent = "Draw a future";
    replace(one);
    replace(many);
  };
  // Another model's futures are not this one's.
  for (const signal of [app.career, app.model]) signal.follow(startOver);
  const element = el(
    "section",
    { class: "future-view", "aria-labelledby": "future-heading" },
    el("h3", { id: "future-heading" }, "A possible future"),
    el(
      "p",
      { class: "hint" },
      "Year after year, an occupation is drawn with the probabilities that the model gives it. " +
        "That is one of very many futures the data would allow, and no forecast.",
    ),
    el(
      "div",
      { class: "fields" },
      length.element,
      next,
      button(`Draw ${MANY} and count`, () => void drawMany()),
    ),
    one,
    many,
  );
  return { element };
}

/** Does a task that either of two may end; that `ended` ended it is no error. */
async function untilEnded<T>(
  ended: AbortSignal,
  cancelled: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await task(AbortSignal.any([ended, cancelled]));
  } catch (error) {
    if (ended.aborted) return undefined;
    throw error;
  }
}

/** Where people are, over futures, in a year that can be chosen. */
function summaryView(career: Career, futures: readonly (readonly Observation[])[]): HTMLElement {
  const summary = summarize(futures);
  const last = career.observations.at(-1)!.occupation;
  const chart = el("div", {});
  const show = (index: number) => {
    const { year, counts } = summary[index]!;
    const total = futures.length;
    const shares = counts.slice(0, 10).map(({ code, title, count }) => ({
      code,
      title,
      probability: count / total,
    }));
    const format = ({ probability }: { readonly probability: number }) =>
      `${Math.round(probability * total)} of ${total}`;
    replace(chart, barChart({ shares, last, format, label: `Occupations in ${year}` }));
  };
  const select = el(
    "select",
    { onchange: () => show(Number(select.value)) },
    ...summary.map(({ year }, i) => el("option", { value: i }, String(year))),
  );
  select.value = String(summary.length - 1);
  show(summary.length - 1);
  return el(
    "div",
    { class: "futures" },
    el("h4", {}, `${futures.length} futures, counted`),
    field("Where they are in", select),
    chart,
    el(
      "p",
      { class: "hint" },
      `${countOfStayers(futures, last)} of ${futures.length} never leave the present occupation. ` +
        "So few futures tell frequent things roughly, and rare ones not at all.",
    ),
  );
}
