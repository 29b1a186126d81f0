import { type Education, EDUCATION_LEVELS } from "../career.ts";
import { lastMonth, type Schooling } from "./personal_history.ts";

/** Education by year, and what was supposed for it. */
export interface EducationYears {
  /** Highest level finished by the end of a year; never lower than of a year before. */
  levelOf(year: number): Education;
  readonly notes: readonly string[];
}

/** What one has who begins a school that leads to a level. */
const ENTRY: ReadonlyMap<Education, Education> = new Map([
  ["any graduate", "college"],
  ["college", "high school"],
  ["some college", "high school"],
]);

/** A level, and the year by which it is reached. */
interface Step {
  readonly year: number;
  readonly rank: number;
}

/**
 * Education year by year of the schools that a person tells of.
 *
 * A level is reached in the year in which its school ends. Who begins a graduate school has college,
 * and who begins college has high school. Before anything is finished, education is one level below
 * the first school's, or "high school" where no school says. Degrees without any date count from the
 * first year on.
 */
export function educationYears(
  schooling: readonly Schooling[],
  { first, until }: { readonly first: number; readonly until: number },
): EducationYears {
  const notes: string[] = [];
  const steps: Step[] = [];
  for (const { text, level, begin, end } of schooling) {
    if (level === undefined) {
      notes.push(`The words of ${JSON.stringify(text)} tell no education level`);
      continue;
    }
    const entry = ENTRY.get(level);
    if (begin !== undefined && entry !== undefined) {
      steps.push({ year: begin.year, rank: rankOf(entry) });
    }
    if (end !== undefined) {
      steps.push({ year: Math.floor(lastMonth(end) / 12), rank: rankOf(level) });
    } else if (begin === undefined) {
      notes.push(`${JSON.stringify(text)} has no dates and is taken as finished before ${first}`);
      steps.push({ year: first, rank: rankOf(level) });
    }
  }
  const base = baseOf(schooling);
  const levelOf = (year: number): Education => {
    const ranks = steps.filter((step) => step.year <= year).map(({ rank }) => rank);
    return EDUCATION_LEVELS[Math.max(rankOf(base), ...ranks)]!;
  };
  const reached = Math.min(...steps.map(({ year }) => year));
  if (first < reached) {
    const years = reached > until ? `from ${first} on` : `from ${first} to ${reached - 1}`;
    notes.push(`Education ${years} is supposed to be "${base}", as no degree was finished by then`);
  }
  return { levelOf, notes };
}

/** What one has before anything is finished. */
function baseOf(schooling: readonly Schooling[]): Education {
  const level = schooling.find((school) => school.level !== undefined)?.level;
  if (level === undefined) return "high school";
  return EDUCATION_LEVELS[Math.max(0, rankOf(level) - 1)]!;
}

function rankOf(level: Education): number {
  return EDUCATION_LEVELS.indexOf(level);
}
