import type { Education } from "../career.ts";
import { quote } from "../career_check.ts";

/** A month, or a year where no month is told. */
export interface YearMonth {
  readonly year: number;
  /** 1 to 12. */
  readonly month?: number;
}

/** A job as a person tells of it. */
export interface Position {
  readonly title: string;
  readonly employer?: string;
  readonly begin: YearMonth;
  /** Absent where the person still has it. */
  readonly end?: YearMonth;
  /** Line of the file on which it stands, where files have lines. */
  readonly line?: number;
}

/** A school, a course, a degree. */
export interface Schooling {
  /** School, degree and subject, as the person tells of them. */
  readonly text: string;
  /** Level that it led to, or will; absent where its words do not say. */
  readonly level?: Education;
  readonly begin?: YearMonth;
  /** Absent where it goes on, or is not told. */
  readonly end?: YearMonth;
  readonly line?: number;
}

/** What a person's own file tells of work and school, before occupations are chosen. */
export interface PersonalHistory {
  /** In the order in which they began. */
  readonly positions: readonly Position[];
  readonly schooling: readonly Schooling[];
  /** What was left out and why, a sentence each, with the place in the file. */
  readonly problems: readonly string[];
}

/** Most jobs, and most schools, of a person. */
export const MAX_ENTRIES = 500;

const MAX_TEXT = 200;

/** Gathers what a file tells, in whatever order it does. */
export class HistoryBuilder {
  readonly #positions: Position[] = [];
  readonly #schooling: Schooling[] = [];
  readonly #problems: string[] = [];

  /** Notes what is left out. @param place Such as `"Positions.csv, line 7"`. */
  leaveOut(place: string, problem: string): void {
    if (this.#problems.length < 2 * MAX_ENTRIES) this.#problems.push(`${place}: ${problem}`);
  }

  /** Takes a job, or notes why not. */
  addPosition(place: string, position: Position): void {
    const { title, begin, end } = position;
    if (title === "") this.leaveOut(place, "left out: a job must have a title, got none");
    else if (end !== undefined && lastMonth(end) < firstMonth(begin)) {
      this.leaveOut(
        place,
        `left out: a job must end after it begins, got ${showMonth(begin)} to ${showMonth(end)}`,
      );
    } else if (this.#positions.length >= MAX_ENTRIES) {
      this.leaveOut(place, `left out: a person may have ${MAX_ENTRIES} jobs, got more`);
    } else this.#positions.push(position);
  }

  /** Takes a school, or notes why not. */
  addSchooling(place: string, schooling: Schooling): void {
    const { text, begin, end } = schooling;
    if (text === "") this.leaveOut(place, "left out: a school must have a name, got none");
    else if (begin !== undefined && end !== undefined && lastMonth(end) < firstMonth(begin)) {
      this.leaveOut(
        place,
        `left out: school must end after it begins, got ${showMonth(begin)} to ${showMonth(end)}`,
      );
    } else if (this.#schooling.length >= MAX_ENTRIES) {
      this.leaveOut(place, `left out: a person may have ${MAX_ENTRIES} schools, got more`);
    } else this.#schooling.push(schooling);
  }

  /** All that was taken, in order of time. */
  build(): PersonalHistory {
    const began = (entry: { readonly begin?: YearMonth; readonly end?: YearMonth }): number => {
      const month = entry.begin ?? entry.end;
      return month === undefined ? Infinity : firstMonth(month);
    };
    return {
      positions: this.#positions.toSorted((a, b) => compare(began(a), began(b))),
      schooling: this.#schooling.toSorted((a, b) => compare(began(a), began(b))),
      problems: [...this.#problems],
    };
  }
}

/** Months since year 0; a year without a month begins in January. */
export function firstMonth({ year, month = 1 }: YearMonth): number {
  return year * 12 + month - 1;
}

/** The same for an end: a year without a month ends in December. */
export function lastMonth({ year, month = 12 }: YearMonth): number {
  return year * 12 + month - 1;
}

/** `"2019-03"`, or `"2019"`. */
export function showMonth({ year, month }: YearMonth): string {
  return month === undefined ? `${year}` : `${year}-${String(month).padStart(2, "0")}`;
}

/** A text of a file on one line, without control characters, shortened. */
export function plainText(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Z}]+/gu, " ").trim();
  return plain.length > MAX_TEXT ? `${plain.slice(0, MAX_TEXT).trimEnd()}…` : plain;
}

/** What a date is in a file: a month, nothing, or a mistake. */
export type ReadDate = { readonly date?: YearMonth } | { readonly problem: string };

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const [FIRST_YEAR, LAST_YEAR] = [1900, 2100];

/**
 * Reads a date as people and programs write it: "2019", "2019-03", "2019-03-15", "Mar 2019",
 * "March 2019", "03/2019". Empty, "present" and the like are no date.
 */
export function readDate(text: string): ReadDate {
  const plain = text.trim().toLowerCase();
  if (/^(?:|present|now|current|ongoing|today|null|n\/a)$/.test(plain)) return {};
  const problem = {
    problem: `a date must be a year or a month such as "2019", "2019-03" or "Mar 2019", got ${quote(text)}`,
  };
  const iso = /^(\d{4})(?:-(\d{1,2})(?:-\d{1,2}(?:t.*)?)?)?$/.exec(plain);
  const slashed = /^(\d{1,2})[/.](\d{4})$/.exec(plain);
  const named = /^([a-z]{3,9})\.?,? (\d{4})$/.exec(plain);
  const year = Number(iso?.[1] ?? slashed?.[2] ?? named?.[2] ?? NaN);
  if (!(year >= FIRST_YEAR && year <= LAST_YEAR)) return problem;
  if (named !== null) {
    const month = MONTHS.indexOf(named[1]!.slice(0, 3)) + 1;
    return month === 0 ? problem : { date: { year, month } };
  }
  const digits = iso?.[2] ?? slashed?.[1];
  if (digits === undefined) return { date: { year } };
  const month = Number(digits);
  return month >= 1 && month <= 12 ? { date: { year, month } } : problem;
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
