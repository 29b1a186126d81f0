import { EDUCATION_LEVELS, type Career, type Education } from "../../../data/career.ts";
import { OCCUPATIONS, occupationIndex } from "../../../data/occupations.ts";
import { educationBefore, fullQuestion } from "./asked.ts";
import type { Asked } from "./predictor.ts";

/** What is different in a "what if"; what is absent stays. */
export interface Change {
  readonly gender?: string;
  readonly ethnicity?: string;
  /** Empty for a region that is not told. */
  readonly region?: string;
  /** Year in question. */
  readonly year?: number;
  /** Education in that year. */
  readonly education?: Education;
  /** Another occupation in a year that is told. */
  readonly job?: { readonly year: number; readonly occupation: string };
}

/**
 * A question with something changed. An education below what is told before also lowers the years
 * before, since education never decreases.
 */
export function applyChange({ career, question }: Asked, change: Change): Asked {
  const asked = fullQuestion(career, question);
  const year = change.year ?? asked.year;
  const carried = question.education ?? educationBefore(career, year);
  const education = change.education ?? higher(carried, educationBefore(career, year));
  const observations = career.observations.map((observation) => ({
    ...observation,
    education:
      observation.year < year ? lower(observation.education, education) : observation.education,
    occupation:
      change.job?.year === observation.year ? change.job.occupation : observation.occupation,
  }));
  const told = observations.filter((observation) => observation.year < year);
  const changed = {
    ...withWho(career, change),
    observations: told.length > 0 ? told : observations,
  };
  return { career: changed, question: { year, education } };
}

/** What is different, in words, such as `"gender: female, not male"`; nothing if nothing is. */
export function describeChange({ career, question }: Asked, change: Change): string[] {
  const now = fullQuestion(career, question);
  const jobYear = change.job?.year;
  // A job that is not told, for the question is about an earlier year, makes no difference.
  const job = career.observations.find(
    ({ year }) => year === jobYear && year < (change.year ?? now.year),
  );
  const region = (value: string | undefined) => (value === "" ? undefined : value) ?? "not told";
  return [
    difference("gender", change.gender, career.gender),
    difference("ethnicity", change.ethnicity, career.ethnicity),
    change.region === undefined
      ? undefined
      : difference("region", region(change.region), region(career.region)),
    difference("year", change.year, now.year),
    difference("education", change.education, now.education),
    job === undefined || change.job === undefined
      ? undefined
      : difference(`job in ${job.year}`, titleOf(change.job.occupation), titleOf(job.occupation)),
  ].filter((line) => line !== undefined);
}

function difference<T extends string | number>(
  what: string,
  then: T | undefined,
  now: T,
): string | undefined {
  return then === undefined || then === now ? undefined : `${what}: ${then}, not ${now}`;
}

function withWho({ region: told, ...career }: Career, change: Change): Career {
  const region = change.region ?? told ?? "";
  return {
    ...career,
    gender: change.gender ?? career.gender,
    ethnicity: change.ethnicity ?? career.ethnicity,
    ...(region === "" ? {} : { region }),
  };
}

function lower(a: Education, b: Education): Education {
  return EDUCATION_LEVELS.indexOf(a) < EDUCATION_LEVELS.indexOf(b) ? a : b;
}

function higher(a: Education, b: Education): Education {
  return EDUCATION_LEVELS.indexOf(a) > EDUCATION_LEVELS.indexOf(b) ? a : b;
}

function titleOf(code: string): string {
  return OCCUPATIONS[occupationIndex(code)]!.title;
}
