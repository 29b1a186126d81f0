import { EDUCATION_LEVELS, type Career, type Education } from "../../../data/career.ts";
import { careerProblem } from "../../../data/career_check.ts";

/** A year as it is entered. */
export interface DraftRow {
  /** Stays the same however rows are sorted. */
  readonly key: number;
  /** NaN while it is not a number. */
  readonly year: number;
  readonly education: Education;
  /** Code; absent until one is chosen. */
  readonly occupation?: string;
}

/** A career as it is entered, which need not be one yet. */
export interface Draft {
  readonly id: string;
  readonly dataset?: string;
  /** Empty until it is chosen. */
  readonly gender: string;
  readonly ethnicity: string;
  readonly region?: string;
  /** NaN while it is not a number; absent if it is not told. */
  readonly birthYear?: number;
  /** By year, rows without one last. */
  readonly rows: readonly DraftRow[];
}

/** What keeps a draft from being a career. */
export interface Problem {
  readonly message: string;
  /** Whether something is only not there yet, rather than wrong. */
  readonly isMissing: boolean;
}

/** All that is wrong with a draft. */
export interface DraftProblems {
  /** At the part above the years. */
  readonly who?: Problem;
  /** By the key of the row. */
  readonly rows: ReadonlyMap<number, Problem>;
}

/** Name of careers that are entered by hand; a resume does not tell it. */
export const ENTERED_ID = "entered";
const FIRST_YEAR = 1900;
const LAST_YEAR = 2100;

/** A draft with one year, of which only the occupation is missing. */
export function emptyDraft(year: number): Draft {
  return {
    id: ENTERED_ID,
    gender: "",
    ethnicity: "",
    rows: [{ key: 0, year, education: "high school" }],
  };
}

/** A career to go on with by hand. */
export function draftOf({ observations, ...who }: Career): Draft {
  return { ...who, rows: observations.map((observation, key) => ({ key, ...observation })) };
}

/** Adds the year after the last, with its education and occupation; the first is `firstYear`. */
export function addYear(draft: Draft, firstYear: number): Draft {
  const last = draft.rows.findLast(({ year }) => isYear(year));
  const row: DraftRow =
    last === undefined
      ? { key: nextKey(draft), year: firstYear, education: "high school" }
      : { ...last, key: nextKey(draft), year: last.year + 1 };
  return { ...draft, rows: sorted([...draft.rows, row]) };
}

/** Changes a row, and moves it to where its year belongs. */
export function changeRow(
  draft: Draft,
  key: number,
  change: Partial<Omit<DraftRow, "key">>,
): Draft {
  const rows = draft.rows.map((row) => (row.key === key ? { ...row, ...change } : row));
  return { ...draft, rows: sorted(rows) };
}

/** Leaves a row out. */
export function removeRow(draft: Draft, key: number): Draft {
  return { ...draft, rows: draft.rows.filter((row) => row.key !== key) };
}

/**
 * Repeats a row's occupation in every year up to `until` that has no row yet. Education is the
 * highest of the rows before.
 */
export function repeatRow(draft: Draft, key: number, until: number): Draft {
  const source = draft.rows.find((row) => row.key === key);
  if (source === undefined || !isYear(source.year) || !isYear(until)) return draft;
  const taken = new Map(draft.rows.map((row) => [row.year, row]));
  const rows = [...draft.rows];
  let { education } = source;
  for (let year = source.year + 1; year <= until; year++) {
    const there = taken.get(year);
    if (there === undefined) {
      rows.push({ ...source, key: nextKey({ rows }), year, education });
    } else if (levelOf(there.education) > levelOf(education)) {
      education = there.education;
    }
  }
  return { ...draft, rows: sorted(rows) };
}

/** What keeps a draft from being a career. Rows are checked each with the ones before. */
export function draftProblems(draft: Draft): DraftProblems {
  const rows = new Map<number, Problem>();
  let before: DraftRow | undefined;
  for (const row of draft.rows) {
    const problem = rowProblem(row, before);
    if (problem !== undefined) rows.set(row.key, problem);
    if (isYear(row.year)) before = row;
  }
  const who = whoProblem(draft);
  return { ...(who === undefined ? {} : { who }), rows };
}

/** The career, once nothing is wrong with the draft. */
export function careerOf(draft: Draft): Career | undefined {
  const { rows, ...who } = draft;
  const problems = draftProblems(draft);
  if (problems.who !== undefined || problems.rows.size > 0) return undefined;
  const observations = rows.map(({ year, education, occupation = "" }) => ({
    year,
    education,
    occupation,
  }));
  const career = { ...who, observations };
  return careerProblem(career) === undefined ? career : undefined;
}

/** Whether a year can be one of a career that is entered. */
export function isYear(year: number): boolean {
  return Number.isInteger(year) && year >= FIRST_YEAR && year <= LAST_YEAR;
}

function rowProblem(row: DraftRow, before: DraftRow | undefined): Problem | undefined {
  const { year, education, occupation } = row;
  if (!isYear(year)) return wrong(`The year must be from ${FIRST_YEAR} to ${LAST_YEAR}.`);
  if (before?.year === year) {
    return wrong(`${year} is told twice: change this year, or remove a row.`);
  }
  if (before !== undefined && levelOf(education) < levelOf(before.education)) {
    return wrong(
      `Education never decreases: it was “${before.education}” in ${before.year}. ` +
        `Choose at least that here, or less there.`,
    );
  }
  return occupation === undefined ? missing("Choose what you did in this year.") : undefined;
}

function whoProblem({ gender, ethnicity, birthYear, rows }: Draft): Problem | undefined {
  if (birthYear !== undefined && !isYear(birthYear)) {
    return wrong(`The year of birth must be from ${FIRST_YEAR} to ${LAST_YEAR}, or left empty.`);
  }
  const first = rows[0];
  if (birthYear !== undefined && first !== undefined && first.year < birthYear) {
    return wrong(`The first year, ${first.year}, is before the year of birth, ${birthYear}.`);
  }
  if (gender === "") return missing("Choose a gender: every resume names one.");
  if (ethnicity === "") return missing("Choose an ethnicity: every resume names one.");
  return first === undefined ? missing("Add at least one year.") : undefined;
}

function wrong(message: string): Problem {
  return { message, isMissing: false };
}

function missing(message: string): Problem {
  return { message, isMissing: true };
}

function levelOf(education: Education): number {
  return EDUCATION_LEVELS.indexOf(education);
}

function nextKey({ rows }: Pick<Draft, "rows">): number {
  return rows.reduce((highest, { key }) => Math.max(highest, key), -1) + 1;
}

/** By year; rows of one year stay as they were, rows without a year come last. */
function sorted(rows: readonly DraftRow[]): DraftRow[] {
  const place = ({ year }: DraftRow) => (isYear(year) ? year : Infinity);
  return rows.toSorted((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
}
