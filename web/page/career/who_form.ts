import { el } from "../dom.ts";
import type { Signal } from "../signal.ts";
import { draftProblems, type Draft } from "./draft.ts";
import { showProblem } from "./problem.ts";
import { wordSelect } from "./select.ts";
import { ETHNICITIES, GENDERS, REGIONS, withValue } from "./words.ts";

/** The first lines of the resume: who it is about. */
export function whoForm(draft: Signal<Draft>): HTMLElement {
  const change = (part: Partial<Draft>) => (draft.value = { ...draft.value, ...part });
  const gender = wordSelect({
    label: "Gender",
    empty: "choose",
    onChange: (value) => change({ gender: value }),
  });
  const ethnicity = wordSelect({
    label: "Ethnicity",
    empty: "choose",
    onChange: (value) => change({ ethnicity: value }),
  });
  const region = wordSelect({
    label: "Region",
    empty: "not told",
    onChange: (value) => (draft.value = withRegion(draft.value, value)),
  });
  const birthYear = el("input", {
    type: "number",
    inputmode: "numeric",
    min: 1900,
    max: 2100,
    step: 1,
    placeholder: "not told",
    onchange: () => readBirthYear(),
    // Browsers do not call it a change where what is typed is no number.
    onblur: () => birthYear.validity?.badInput && readBirthYear(),
  });
  const readBirthYear = () => {
    const text = birthYear.validity?.badInput ? "?" : birthYear.value;
    draft.value = withBirthYear(draft.value, text);
  };
  const problem = el("p", { class: "problem", role: "status" });

  draft.follow((now) => {
    gender.show(withValue(GENDERS, now.gender), now.gender);
    ethnicity.show(withValue(ETHNICITIES, now.ethnicity), now.ethnicity);
    region.show(withValue(REGIONS, now.region ?? ""), now.region ?? "");
    if (!Number.isNaN(now.birthYear)) birthYear.value = String(now.birthYear ?? "");
    showProblem(problem, draftProblems(now).who);
  });
  return el(
    "fieldset",
    { class: "who" },
    el("legend", {}, "Who"),
    el(
      "p",
      { class: "hint" },
      "Every resume the model learned from begins with these words, so it asks for them too; " +
        "they stay on this page, as all you enter does.",
    ),
    el(
      "div",
      { class: "fields" },
      gender.element,
      ethnicity.element,
      region.element,
      el("label", { class: "field" }, el("span", { class: "label" }, "Year of birth"), birthYear),
    ),
    problem,
  );
}

/** The draft with a region, or, where it is empty, without. */
export function withRegion(draft: Draft, region: string): Draft {
  const { region: without, ...rest } = draft;
  if (region === (without ?? "")) return draft;
  return region === "" ? rest : { ...rest, region };
}

/** The draft with a year of birth as it is typed, or, where it is empty, without. */
export function withBirthYear(draft: Draft, text: string): Draft {
  const { birthYear: without, ...rest } = draft;
  if (text.trim() === "") return without === undefined ? draft : rest;
  return { ...rest, birthYear: /^\d{4}$/.test(text.trim()) ? Number(text) : NaN };
}
