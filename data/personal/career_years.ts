import type { Observation } from "../career.ts";
import { quote } from "../career_check.ts";
import { isOccupation, OCCUPATION_CODE_RULE } from "../occupations.ts";
import { educationYears } from "./education_years.ts";
import {
  firstMonth,
  lastMonth,
  type PersonalHistory,
  type Position,
  showMonth,
} from "./personal_history.ts";

/** Options of {@linkcode careerYears}. */
export interface CareerYearsOptions {
  /** Occupation of each position, in their order; those without one are left out. */
  readonly codes: readonly (string | undefined)[];
  /** Last year that is told. What goes on goes on until then. */
  readonly until: number;
  /** Years between two observations, counted back from `until`: surveys ask every year or every other. @default {1} */
  readonly interval?: 1 | 2;
  /** What years are in which there is neither a job nor school, after the first. @default {"leave out"} */
  readonly gaps?: "leave out" | "not_in_labor_force" | "unemployed";
}

/** A history year by year. */
export interface CareerYears {
  /** Ascending, a year once; none where nothing is left. */
  readonly observations: Observation[];
  /** What was supposed or left out, in sentences. */
  readonly notes: string[];
}

/** Longest break between two schools that counts as school: a summer. */
const SUMMER_MONTHS = 3;

/** Months `[first, last]`, counted from year 0. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * A person's history year by year, as surveys would have it.
 *
 * Of a year, the occupation held in most of its months counts; of several, the one that began
 * latest. Dates without a month begin in January and end in December. A year without a job that is
 * school throughout is "education"; other years without a job are as `gaps` says. Education is the
 * highest level finished by the year, and never decreases.
 *
 * @throws {RangeError} If there is not one code for each position, or a code is none of `OCCUPATIONS`.
 */
export function careerYears(
  history: PersonalHistory,
  { codes, until, interval = 1, gaps = "leave out" }: CareerYearsOptions,
): CareerYears {
  checkOptions(history, { codes, until });
  const notes: string[] = [];
  const jobs = jobSpans(history.positions, { codes, until, notes });
  const schools = schoolSpans(history, until);
  const first = Math.min(...[...jobs, ...schools].map((span) => yearOf(span.first)));
  if (first === Infinity || first > until) {
    return { observations: [], notes: [...notes, `Nothing is told of a year up to ${until}`] };
  }
  const education = educationYears(history.schooling, { first, until });
  const observations: Observation[] = [];
  const empty: number[] = [];
  for (let year = first; year <= until; year++) {
    if ((until - year) % interval !== 0) continue;
    const gap = gaps === "leave out" ? undefined : gaps;
    const told = jobOf(year, jobs) ?? (isSchool(year, schools) ? "education" : undefined);
    if (told === undefined) empty.push(year);
    const occupation = told ?? gap;
    if (occupation === undefined) continue;
    observations.push({ year, education: education.levelOf(year), occupation });
  }
  if (empty.length > 0) notes.push(gapNote(empty, gaps));
  if (observations.length > 0) notes.push(...education.notes);
  return { observations, notes };
}

function checkOptions(
  { positions }: PersonalHistory,
  { codes, until }: { codes: readonly (string | undefined)[]; until: number },
): void {
  const fail = (problem: string): never => {
    throw new RangeError(`Cannot tell a career by years: ${problem}`);
  };
  if (codes.length !== positions.length) {
    fail(
      `each of ${positions.length} positions must have a code or none, got ${codes.length} codes`,
    );
  }
  if (!Number.isInteger(until) || until < 1900 || until > 2200) {
    fail(`the last year must be one from 1900 to 2200, got ${until}`);
  }
  for (const code of codes) {
    if (code !== undefined && !isOccupation(code))
      fail(`${OCCUPATION_CODE_RULE}, got ${quote(code)}`);
  }
}

interface Job extends Span {
  readonly code: string;
}

function jobSpans(
  positions: readonly Position[],
  {
    codes,
    until,
    notes,
  }: { codes: readonly (string | undefined)[]; until: number; notes: string[] },
): Job[] {
  const endOfUntil = until * 12 + 11;
  return positions.flatMap((position, i): Job[] => {
    const { title, begin, end } = position;
    const code = codes[i];
    const first = firstMonth(begin);
    if (code === undefined) notes.push(`${quote(title)} has no occupation and is left out`);
    else if (first > endOfUntil) {
      notes.push(`${quote(title)} begins in ${showMonth(begin)}, after ${until}, and is left out`);
    } else {
      const last = Math.min(end === undefined ? endOfUntil : lastMonth(end), endOfUntil);
      return [{ code, first, last }];
    }
    return [];
  });
}

/** Schools that have both dates or go on, with the summers between them. */
function schoolSpans({ schooling }: PersonalHistory, until: number): Span[] {
  const endOfUntil = until * 12 + 11;
  const spans = schooling
    .flatMap(({ begin, end }): Span[] => {
      if (begin === undefined) return [];
      const last = Math.min(end === undefined ? endOfUntil : lastMonth(end), endOfUntil);
      return [{ first: firstMonth(begin), last }];
    })
    .filter(({ first, last }) => first <= last)
    .toSorted((a, b) => a.first - b.first);
  const joined: Span[] = [];
  for (const span of spans) {
    const before = joined.at(-1);
    if (before === undefined || span.first > before.last + 1 + SUMMER_MONTHS) joined.push(span);
    else joined.splice(-1, 1, { first: before.first, last: Math.max(before.last, span.last) });
  }
  return joined;
}

/** The occupation of most months of a year; of several, the one that began latest. */
function jobOf(year: number, jobs: readonly Job[]): string | undefined {
  const held = new Map<string, { months: Set<number>; first: number }>();
  for (const { code, first, last } of jobs) {
    for (let month = Math.max(first, year * 12); month <= Math.min(last, year * 12 + 11); month++) {
      const known = held.get(code) ?? { months: new Set<number>(), first };
      known.months.add(month);
      held.set(code, { months: known.months, first: Math.max(known.first, first) });
    }
  }
  let best: { code: string; months: number; first: number } | undefined;
  for (const [code, { months, first }] of held) {
    const isBetter =
      best === undefined ||
      months.size > best.months ||
      (months.size === best.months && first >= best.first);
    if (isBetter) best = { code, months: months.size, first };
  }
  return best?.code;
}

function isSchool(year: number, schools: readonly Span[]): boolean {
  return schools.some(({ first, last }) => first <= year * 12 && last >= year * 12 + 11);
}

function yearOf(month: number): number {
  return Math.floor(month / 12);
}

function gapNote(years: readonly number[], gaps: NonNullable<CareerYearsOptions["gaps"]>): string {
  const list = years.length > 6 ? `${years.slice(0, 6).join(", ")} and more` : years.join(", ");
  const subject = years.length === 1 ? "this year is" : "these years are";
  return gaps === "leave out"
    ? `Without a job and not wholly in school, ${subject} left out: ${list}`
    : `Without a job and not wholly in school, ${subject} taken as "${gaps}": ${list}`;
}
