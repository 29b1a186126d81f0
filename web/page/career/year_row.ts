import { EDUCATION_LEVELS, type Education } from "../../../data/career.ts";
import { el } from "../dom.ts";
import { choiceOf, suggestChoices } from "./choices.ts";
import { Combobox } from "./combobox.ts";
import type { DraftRow, Problem } from "./draft.ts";
import { titlesReady } from "./prepare_titles.ts";
import { showProblem } from "./problem.ts";

/** What a row tells the table. */
export interface RowEvents {
  change(part: Partial<Omit<DraftRow, "key">>): void;
  repeat(until: number): void;
  remove(): void;
  /** Codes chosen in other rows, the latest first. */
  recent(): readonly string[];
}

/** A row on the page. */
export interface YearRow {
  readonly element: HTMLElement;
  show(row: DraftRow, problem: Problem | undefined): void;
  /** Puts the cursor where one goes on typing. */
  focus(): void;
}

/** Year, education and occupation of one year, and what can be done with them. */
export function yearRow(key: number, events: RowEvents): YearRow {
  const problemId = `year-problem-${key}`;
  const year = el("input", {
    type: "number",
    inputmode: "numeric",
    step: 1,
    min: 1900,
    max: 2100,
    "aria-label": "Year",
    "aria-describedby": problemId,
    onchange: () => events.change({ year: year.value === "" ? NaN : Number(year.value) }),
  });
  const education = el(
    "select",
    {
      "aria-label": "Education",
      "aria-describedby": problemId,
      onchange: () => events.change({ education: education.value as Education }),
    },
    ...EDUCATION_LEVELS.map((level) => el("option", { value: level }, level)),
  );
  const occupation = new Combobox({
    label: "Occupation",
    placeholder: "Type a job, or press ↓",
    suggest: (text) => suggestChoices(text, events.recent()),
    wait: titlesReady,
    onPick: (code) => events.change({ occupation: code }),
  });
  occupation.input.setAttribute("aria-describedby", problemId);
  const repeat = repeatForm(events);
  const remove = el(
    "button",
    { type: "button", class: "quiet", onclick: () => events.remove() },
    "Remove",
  );
  const problem = el("p", { class: "problem", id: problemId });
  const element = el(
    "li",
    { class: "year-row" },
    year,
    education,
    occupation.element,
    el("div", { class: "row-actions" }, repeat.element, remove),
    problem,
  );

  const show = (row: DraftRow, found: Problem | undefined) => {
    if (!Number.isNaN(row.year)) year.value = String(row.year);
    education.value = row.education;
    occupation.show(row.occupation === undefined ? undefined : choiceOf(row.occupation));
    showProblem(problem, found);
    const isWrong = found !== undefined && !found.isMissing;
    element.classList.toggle("has-problem", isWrong);
    for (const field of [year, education, occupation.input]) {
      field.setAttribute("aria-invalid", String(isWrong));
    }
    remove.setAttribute("aria-label", `Remove ${yearName(row)}`);
    repeat.show(row);
  };
  return { element, show, focus: () => occupation.input.focus() };
}

/** A button that asks up to which year, and then repeats the row. */
function repeatForm(events: RowEvents) {
  const until = el("input", {
    type: "number",
    inputmode: "numeric",
    step: 1,
    "aria-label": "Until",
  });
  const fill = el("button", { type: "button", onclick: () => done(true) }, "Fill");
  const open = el(
    "button",
    { type: "button", class: "quiet", "aria-expanded": "false", onclick: () => toggle() },
    "Repeat until…",
  );
  const form = el("span", { class: "repeat", hidden: true }, until, fill);
  const toggle = (isOpen = form.hidden) => {
    form.hidden = !isOpen;
    open.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) until.select();
  };
  const done = (isMeant: boolean) => {
    toggle(false);
    open.focus();
    if (isMeant) events.repeat(Number(until.value));
  };
  form.addEventListener("keydown", (event) => {
    const { key } = event;
    if (key !== "Enter" && key !== "Escape") return;
    event.preventDefault();
    done(key === "Enter");
  });
  const show = (row: DraftRow) => {
    open.setAttribute("aria-label", `Repeat ${yearName(row)} until…`);
    until.min = String(row.year + 1);
    until.max = String(row.year + 60);
    if (form.hidden) until.value = String(row.year + 4);
  };
  return { element: el("span", { class: "repeat-group" }, open, form), show };
}

function yearName({ year }: DraftRow): string {
  return Number.isNaN(year) ? "this row" : String(year);
}
