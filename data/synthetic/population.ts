import type { Education } from "../career.ts";

/** Names of the synthetic populations. */
export const POPULATION_NAMES = ["large", "survey"] as const;

/** One of {@linkcode POPULATION_NAMES}. */
export type PopulationName = (typeof POPULATION_NAMES)[number];

/** Who is in a population and how it moves. Probabilities are a year's. */
export interface PopulationTraits {
  /** Calendar years in which there can be an observation, ascending. */
  readonly years: readonly number[];
  /** Probability of each observation but the first. */
  readonly responseRate: number;
  /** First index into `years` is uniform from 0 to this. */
  readonly latestEntry: number;
  /** Probability of ending after each observation. */
  readonly attrition: number;
  /** Probability of being young at entry; ages at entry are uniform in the two ranges. */
  readonly young: number;
  readonly youngAges: readonly [from: number, to: number];
  readonly otherAges: readonly [from: number, to: number];
  /** Education of those who enter at other ages: shares of the levels, ascending. */
  readonly otherEducation: readonly number[];
  /** Multiplies the odds that a student completes the next level. */
  readonly studiousness: number;
  readonly women: number;
  /** Factors on the popularity of families' jobs, by the name of the family; 1 if absent. */
  readonly familyBoost: Readonly<Record<string, number>>;
  /** Added to the log-odds of staying in a job. */
  readonly stay: number;
  /** Log-odds of staying in a job per unit of ln(tenure). */
  readonly tenure: number;
  /** Probability, given a move into work, of going back to the latest earlier other job. */
  readonly recall: Readonly<
    Record<"work" | "education" | "not_in_labor_force" | "unemployed", number>
  >;
}

/** Biennial from 2011 on, as panels become. */
const SURVEY_YEARS = [...Array.from({ length: 15 }, (_, i) => 1997 + i), 2013, 2015, 2017, 2019];

/**
 * The two populations: `large`, skewed as online resumes are (young, educated, over-representing
 * offices and technology, moving often), and `survey`, representative, with gaps.
 */
export const POPULATIONS: Readonly<Record<PopulationName, PopulationTraits>> = {
  large: {
    years: Array.from({ length: 22 }, (_, i) => 2000 + i),
    responseRate: 0.97,
    latestEntry: 10,
    attrition: 0.05,
    young: 0.8,
    youngAges: [17, 21],
    otherAges: [22, 34],
    otherEducation: [0.02, 0.1, 0.23, 0.45, 0.2],
    studiousness: 4,
    women: 0.45,
    familyBoost: {
      management: 1.8,
      business: 2,
      technology: 3,
      office: 1.3,
      food: 0.6,
      construction: 0.2,
      production: 0.4,
      transport: 0.5,
    },
    stay: -0.25,
    tenure: 1.1,
    recall: { work: 0.12, education: 0.45, not_in_labor_force: 0.35, unemployed: 0.45 },
  },
  survey: {
    years: SURVEY_YEARS,
    responseRate: 0.93,
    latestEntry: 0,
    attrition: 0.02,
    young: 0.8,
    youngAges: [16, 19],
    otherAges: [20, 52],
    otherEducation: [0.13, 0.36, 0.26, 0.17, 0.08],
    studiousness: 0.7,
    women: 0.52,
    familyBoost: {},
    stay: 0,
    tenure: 1.3,
    recall: { work: 0.18, education: 0.5, not_in_labor_force: 0.45, unemployed: 0.6 },
  },
};

/** Age about which half of the people at a level of education are no longer students. */
export const LEAVING_AGE: Readonly<Record<Education, number>> = {
  "less than high school": 18.5,
  "high school": 19,
  "some college": 21.5,
  college: 23,
  "any graduate": 25,
};
