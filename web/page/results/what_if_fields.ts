import type { Career } from "../../../data/career.ts";
import { choiceOf, suggestChoices } from "../career/choices.ts";
import { Combobox } from "../career/combobox.ts";
import { wordSelect } from "../career/select.ts";
import { ETHNICITIES, GENDERS, REGIONS, withValue } from "../career/words.ts";
import { el, replace } from "../dom.ts";
import { askableYears, fullQuestion } from "./asked.ts";
import { applyChange, type Change } from "./change.ts";
import { educationField, field, numberField } from "./controls.ts";
import type { Asked } from "./predictor.ts";

/** Fields of all that can be changed; `onChange` gets what is different. */
export function whatIfFields(onChange: (change: Change) => void) {
  let asked: Asked | undefined;
  let change: Change = {};
  const put = (part: Change) => {
    change = { ...change, ...part };
    show();
    onChange(change);
  };
  const year = numberField("Year in question", (value) => put({ year: value }));
  const education = educationField("Education", (value) => put({ education: value }));
  const gender = wordSelect({ label: "Gender", onChange: (value) => put({ gender: value }) });
  const ethnicity = wordSelect({
    label: "Ethnicity",
    onChange: (value) => put({ ethnicity: value }),
  });
  const region = wordSelect({
    label: "Region",
    empty: "not told",
    onChange: (value) => put({ region: value }),
  });
  const jobYear = el("select", { onchange: () => showJob() });
  const job = new Combobox({
    label: "Job in that year",
    suggest: (text) => suggestChoices(text),
    onPick: (occupation) => put({ job: { year: Number(jobYear.value), occupation } }),
  });
  const showJob = () => {
    const chosen = Number(jobYear.value);
    const told = asked?.career.observations.find((observation) => observation.year === chosen);
    const code = change.job?.year === chosen ? change.job.occupation : told?.occupation;
    job.show(code === undefined ? undefined : choiceOf(code));
  };
  const show = () => {
    if (asked === undefined) return;
    const { career } = asked;
    const then = applyChange(asked, change);
    year.show(fullQuestion(then.career, then.question).year, askableYears(career));
    education.show(then.question.education!);
    gender.show(withValue(GENDERS, career.gender), then.career.gender);
    ethnicity.show(withValue(ETHNICITIES, career.ethnicity), then.career.ethnicity);
    region.show(withValue(REGIONS, career.region ?? ""), then.career.region ?? "");
    showYears(jobYear, career, then.question.year!);
    showJob();
  };
  const element = el(
    "div",
    { class: "fields" },
    education.element,
    year.element,
    gender.element,
    ethnicity.element,
    region.element,
    field("A past year", jobYear),
    el(
      "div",
      { class: "field wide" },
      el("span", { class: "label" }, "Job in that year"),
      job.element,
    ),
  );
  /** Shows a question with nothing changed. */
  const reset = (now: Asked | undefined) => {
    asked = now;
    change = {};
    show();
    onChange(change);
  };
  return { element, reset };
}

/** Offers the years told before the one in question; the chosen one stays, else the last. */
function showYears(select: HTMLSelectElement, { observations }: Career, before: number): void {
  const years = observations.map(({ year }) => year).filter((year) => year < before);
  const kept = years.includes(Number(select.value)) ? select.value : String(years.at(-1) ?? "");
  replace(select, ...years.map((year) => el("option", { value: year }, String(year))));
  select.value = kept;
}
