import type { OccupationMatch } from "../../../data/personal/match_title.ts";
import type { Observation } from "../../../data/career.ts";
import { el, replace } from "../dom.ts";
import { stretchesOf, yearsOf } from "../results/futures.ts";
import { choiceOf, suggestChoices } from "./choices.ts";
import { type Choice, Combobox } from "./combobox.ts";
import { isYear } from "./draft.ts";
import type { OpenedFile } from "./import_messages.ts";
import { titlesReady } from "./prepare_titles.ts";
import {
  firstReview,
  positionInWords,
  type Review,
  scoreInWords,
  withCode,
  yearsOfReview,
} from "./reviewed.ts";

/** A history out of a file. */
export type OpenedHistory = Extract<OpenedFile, { kind: "history" }>;

/** What comes of a review. */
export interface ReviewEvents {
  readonly use: (observations: readonly Observation[]) => void;
  readonly dismiss: () => void;
}

/** Every job of a file with the occupation it is taken for, to be changed before it is used. */
export function historyReview(opened: OpenedHistory, events: ReviewEvents): HTMLElement {
  const { history, matches, source } = opened;
  let review = firstReview(matches, new Date().getFullYear());
  const preview = el("ol", { class: "import-years", "aria-label": "The years to be used" });
  const notes = el("ul", { class: "hint" });
  const count = el("p", { role: "status" });
  const use = el("button", { type: "button", class: "primary" }, "Use this career");
  use.addEventListener("click", () => events.use(yearsOfReview(history, review).observations));
  const change = (now: Review) => {
    review = now;
    const years = yearsOfReview(history, review);
    const { length } = years.observations;
    count.textContent = length === 0 ? "No year is left to use." : `${length} years will be used:`;
    use.disabled = length === 0;
    const lines = stretchesOf(years.observations).map((each) =>
      el("li", {}, el("span", { class: "soft" }, yearsOf(each)), el("span", {}, each.title)),
    );
    replace(preview, ...lines);
    const told = [...history.problems, ...years.notes];
    replace(notes, ...told.map((note) => el("li", {}, note)));
  };
  const rows = history.positions.map((position, i) =>
    reviewRow(positionInWords(position), matches[i] ?? [], (code) =>
      change(withCode(review, i, code)),
    ),
  );
  change(review);
  return el(
    "div",
    { class: "import-review", role: "group", "aria-label": `Jobs of the ${source} file` },
    el("h3", { tabindex: -1 }, `${history.positions.length} jobs, as ${source} tells them`),
    el(
      "p",
      { class: "hint" },
      "Each title was matched to an occupation by its words. Look at them: a wrong one makes " +
        "everything after it wrong.",
    ),
    el("ol", { class: "import-rows" }, ...rows),
    settings(review, (part) => change({ ...review, ...part })),
    count,
    preview,
    notes,
    el(
      "p",
      { class: "career-actions" },
      use,
      el("button", { type: "button", onclick: () => events.dismiss() }, "Leave it"),
    ),
  );
}

/** A title as it is written, what it is taken for, and what else it may be. */
function reviewRow(
  title: string,
  matches: readonly OccupationMatch[],
  onChange: (code: string | undefined) => void,
): HTMLElement {
  const [best] = matches;
  const judged = el("p", { class: "hint" });
  const judge = (code: string | undefined) => {
    const match = matches.find((each) => each.code === code);
    const via = match?.via === undefined ? "" : `, by “${match.via}”`;
    if (code === undefined) judged.textContent = "Without an occupation it is left out.";
    else
      judged.textContent = match === undefined ? "Your choice." : scoreInWords(match.score) + via;
  };
  const alternatives: readonly Choice[] = matches.map(({ code, score }) =>
    choiceOf(code, scoreInWords(score)),
  );
  const put = (code: string | undefined) => {
    box.show(code === undefined ? undefined : choiceOf(code));
    judge(code);
    onChange(code);
  };
  const box = new Combobox({
    label: `Occupation of: ${title}`,
    placeholder: "no match: type an occupation",
    // An empty field, or one just opened, offers what else the title may mean.
    suggest: (text) =>
      text.trim() === "" && alternatives.length > 0 ? alternatives : suggestChoices(text),
    wait: titlesReady,
    onPick: put,
  });
  box.show(best === undefined ? undefined : choiceOf(best.code));
  judge(best?.code);
  return el(
    "li",
    {},
    el("p", { class: "import-title" }, title),
    box.element,
    el(
      "div",
      { class: "row-actions" },
      judged,
      el(
        "button",
        {
          type: "button",
          class: "quiet",
          "aria-label": `Leave out: ${title}`,
          onclick: () => put(undefined),
        },
        "Leave out",
      ),
    ),
  );
}

/** How jobs become years. */
function settings(review: Review, onChange: (part: Partial<Review>) => void): HTMLElement {
  const until = el("input", {
    type: "number",
    inputmode: "numeric",
    min: 1900,
    max: 2100,
    step: 1,
    value: review.until,
    // At once: were it when the field is left, by a press on a button, the button would move away.
    oninput: () => {
      if (isYear(Number(until.value))) onChange({ until: Number(until.value) });
    },
    onchange: () => until.setAttribute("aria-invalid", String(!isYear(Number(until.value)))),
  });
  const gaps = el(
    "select",
    { onchange: () => onChange({ gaps: gaps.value as Review["gaps"] }) },
    el("option", { value: "leave out" }, "are left out"),
    el("option", { value: "not_in_labor_force" }, "are “Not in labor force”"),
    el("option", { value: "unemployed" }, "are “Unemployed”"),
  );
  const interval = el(
    "select",
    { onchange: () => onChange({ interval: interval.value === "2" ? 2 : 1 }) },
    el("option", { value: "1" }, "every year"),
    el("option", { value: "2" }, "every other year, as later surveys do"),
  );
  const field = (label: string, control: HTMLElement) =>
    el("label", { class: "field" }, el("span", { class: "label" }, label), control);
  return el(
    "div",
    { class: "fields" },
    field("Years up to", until),
    field("Years without a job", gaps),
    field("Tell", interval),
  );
}
