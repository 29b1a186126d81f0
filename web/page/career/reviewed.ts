import type { Observation } from "../../../data/career.ts";
import { careerYears, type CareerYears } from "../../../data/personal/career_years.ts";
import type { OccupationMatch } from "../../../data/personal/match_title.ts";
import type { PersonalHistory, Position } from "../../../data/personal/personal_history.ts";
import { ENTERED_ID, type Draft } from "./draft.ts";

/** What a person may decide about a history before it becomes years. */
export interface Review {
  /** Occupation of each position; those without one are left out. */
  readonly codes: readonly (string | undefined)[];
  /** Last year that is told. */
  readonly until: number;
  readonly interval: 1 | 2;
  readonly gaps: "leave out" | "not_in_labor_force" | "unemployed";
}

/** The best match of each title, up to this year, gaps left out. */
export function firstReview(
  matches: readonly (readonly OccupationMatch[])[],
  until: number,
): Review {
  return { codes: matches.map(([best]) => best?.code), until, interval: 1, gaps: "leave out" };
}

/** The review with another occupation for one position; none leaves it out. */
export function withCode(review: Review, index: number, code: string | undefined): Review {
  return { ...review, codes: review.codes.map((old, i) => (i === index ? code : old)) };
}

/** The history year by year, as it was reviewed. */
export function yearsOfReview(history: PersonalHistory, review: Review): CareerYears {
  return careerYears(history, review);
}

/** A draft with years out of a file; who it is about stays as it was entered. */
export function draftWithYears(draft: Draft, observations: readonly Observation[]): Draft {
  const { gender, ethnicity, region, birthYear } = draft;
  return {
    id: ENTERED_ID,
    gender,
    ethnicity,
    ...(region === undefined ? {} : { region }),
    ...(birthYear === undefined ? {} : { birthYear }),
    rows: observations.map((observation, key) => ({ key, ...observation })),
  };
}

/** `"Software engineer, Acme, 2012-03 to 2015"`. */
export function positionInWords({ title, employer, begin, end }: Position): string {
  const month = ({ year, month: m }: Position["begin"]) =>
    m === undefined ? String(year) : `${year}-${String(m).padStart(2, "0")}`;
  const time = `${month(begin)} to ${end === undefined ? "today" : month(end)}`;
  return [title, employer, time].filter((part) => part !== undefined && part !== "").join(", ");
}

/** How good a match is, in words: scores are no probabilities. */
export function scoreInWords(score: number): string {
  const word = score >= 0.85 ? "good" : score >= 0.65 ? "fair" : "weak";
  return `${word} match (${score.toFixed(2)} of 1)`;
}
