import { EDUCATION_LEVELS, type Career, type Education } from "../../../data/career.ts";
import type { Question } from "../../engine/api.ts";

/** A question with nothing left to defaults. */
export interface FullQuestion {
  readonly year: number;
  readonly education: Education;
}

/** The year asked for, and the education then: by default the year after the last, and its level. */
export function fullQuestion(career: Career, { year, education }: Question): FullQuestion {
  const asked = year ?? career.observations.at(-1)!.year + 1;
  return { year: asked, education: education ?? educationBefore(career, asked) };
}

/** The highest education told before a year; the lowest of all if none is. */
export function educationBefore({ observations }: Career, year: number): Education {
  const told = observations.findLast((observation) => observation.year < year);
  return told?.education ?? EDUCATION_LEVELS[0];
}

/** Whether a level can follow what is told before the year. */
export function canHave(career: Career, year: number, education: Education): boolean {
  return (
    EDUCATION_LEVELS.indexOf(education) >= EDUCATION_LEVELS.indexOf(educationBefore(career, year))
  );
}

/** Years one may ask for: from the second that is told to a generation after the last. */
export function askableYears({ observations }: Career): {
  readonly min: number;
  readonly max: number;
} {
  return { min: observations[0]!.year + 1, max: observations.at(-1)!.year + 30 };
}

/**
 * What stays of a question when the career becomes another: what still can be asked. A year that
 * the default would now give is left to the default, so that it follows the career.
 */
export function keepQuestion(career: Career, { year, education }: Question): Question {
  const { min, max } = askableYears(career);
  const isKept = year !== undefined && year >= min && year <= max;
  const kept = isKept ? { year } : {};
  const asked = fullQuestion(career, kept).year;
  const hasEducation = education !== undefined && canHave(career, asked, education);
  return { ...kept, ...(hasEducation ? { education } : {}) };
}
