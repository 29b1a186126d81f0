/** Education levels in ascending order; a career's education never decreases. */
export const EDUCATION_LEVELS = [
  "less than high school",
  "high school",
  "some college",
  "college",
  "any graduate",
] as const;

/** Highest education completed so far, one of {@linkcode EDUCATION_LEVELS}. */
export type Education = (typeof EDUCATION_LEVELS)[number];

/** One person-year of a career. */
export interface Observation {
  /** Calendar year of the survey. */
  readonly year: number;
  /** Highest education completed by that year. */
  readonly education: Education;
  /**
   * Occupation code: an occ1990dd code (`"275"`, `"999"`) or a status
   * (`"education"`, `"not_in_labor_force"`, `"unemployed"`); see `OCCUPATIONS`.
   */
  readonly occupation: string;
}

/** One person: what does not change, and the observed years in ascending order. */
export interface Career {
  /** Identifier of the person, unique in its file. */
  readonly id: string;
  /** Survey the person is from, as the first line of the resume names it; absent where all share one. */
  readonly dataset?: string;
  /** As the survey words it, lower case: `"female"`, `"male"`. */
  readonly gender: string;
  /** As the survey words it, lower case: `"black or african american"`. */
  readonly ethnicity: string;
  /** `"northeast"`, `"south"`, `"west"`, `"northcentral"`; absent where the survey has none. */
  readonly region?: string;
  /** Year of birth; absent where the survey has none. */
  readonly birthYear?: number;
  /** Person-years, strictly ascending in `year`, at least one. */
  readonly observations: readonly Observation[];
}
