import type { Career } from "../../data/career.ts";
import type { Person } from "../occupation/occupation_model.ts";
import { type Design, SparseBuilder } from "./design.ts";

/** What a logit may know of a person-year besides that it is one. */
export const COVARIATES = [
  /** Occupation of the observation before; a category of its own at the first. */
  "last",
  /** Occupation of the one before that; a category of its own where there is none. */
  "previous",
  /** Observations in the last occupation without a break, in ranges. */
  "tenure",
  /** Observations so far, in ranges. */
  "observed",
  /** Calendar year. */
  "year",
  /** Whether years are missing since the last observation, and how many. */
  "gap",
  "education",
  /** Whether education has risen since the last observation, and to what. */
  "education_change",
  "gender",
  "ethnicity",
  "region",
  /** Year of birth, in ranges of five years. */
  "birth_year",
  /** Age in the year, in ranges of five years. */
  "age",
] as const;

/** One of {@linkcode COVARIATES}. */
export type Covariate = (typeof COVARIATES)[number];

/** What the paper's and CAREER's regression reads. */
export const DEFAULT_COVARIATES: readonly Covariate[] = COVARIATES.filter(
  (covariate) => covariate !== "birth_year" && covariate !== "age",
);

/** Categories of every covariate, in the order of the features; all of it is JSON. */
export interface FeatureSpace {
  readonly numOccupations: number;
  readonly covariates: readonly Covariate[];
  /** Categories of the covariates whose categories training people decide. */
  readonly categories: Readonly<Record<string, readonly string[]>>;
}

/** Feature that every observation has: the intercept. */
export const INTERCEPT = 0;

/** Lower ends of ranges of a count, from 1. */
const RANGES = [1, 2, 3, 4, 5, 6, 8, 11, 16, 21] as const;
/** Longest gaps that are told apart: years from one observation to the next. */
const MOST_GAP = 6;

/** A covariate's categories of one observation, or none where it is not known. */
type Reader = (person: Person, index: number) => string | undefined;

const READERS: Readonly<Record<Covariate, Reader>> = {
  last: ({ occupations }, i) => (i < 1 ? "none" : `${occupations[i - 1]}`),
  previous: ({ occupations }, i) => (i < 2 ? "none" : `${occupations[i - 2]}`),
  tenure: ({ occupations }, i) => (i < 1 ? undefined : rangeOf(tenureAt(occupations, i))),
  observed: (_, i) => (i < 1 ? undefined : rangeOf(i)),
  year: ({ career }, i) => `${career.observations[i]!.year}`,
  gap: ({ career }, i) => {
    const years = yearsSince(career, i);
    return years === undefined || years < 2 ? undefined : `${Math.min(years, MOST_GAP)}`;
  },
  education: ({ career }, i) => career.observations[i]!.education,
  education_change: ({ career }, i) => {
    const [before, now] = [career.observations[i - 1], career.observations[i]!];
    return before === undefined || before.education === now.education ? undefined : now.education;
  },
  gender: ({ career }) => career.gender,
  ethnicity: ({ career }) => career.ethnicity,
  region: ({ career }) => career.region,
  birth_year: ({ career }) => fiveYears(career.birthYear),
  age: ({ career }, i) =>
    career.birthYear === undefined
      ? undefined
      : fiveYears(career.observations[i]!.year - career.birthYear),
};

function rangeOf(count: number): string {
  return `${RANGES.findLast((begin) => begin <= count) ?? 1}`;
}

function fiveYears(years: number | undefined): string | undefined {
  return years === undefined ? undefined : `${5 * Math.floor(years / 5)}`;
}

/** Observations before `index` in one occupation without a break; at least 1. */
export function tenureAt(occupations: readonly number[], index: number): number {
  let begin = index - 1;
  while (begin > 0 && occupations[begin - 1] === occupations[index - 1]) begin -= 1;
  return index - begin;
}

function yearsSince({ observations }: Career, index: number): number | undefined {
  const before = observations[index - 1];
  return before === undefined ? undefined : observations[index]!.year - before.year;
}

/**
 * The features of some covariates, with the categories that training people have.
 *
 * @param people Training people; their order makes no difference.
 * @throws {RangeError} If there are no people, or a covariate is named twice.
 */
export function featureSpace(
  people: readonly Person[],
  {
    numOccupations,
    covariates = DEFAULT_COVARIATES,
  }: { readonly numOccupations: number; readonly covariates?: readonly Covariate[] },
): FeatureSpace {
  if (people.length === 0) {
    throw new RangeError("Cannot find features: there must be people to learn from, got none");
  }
  const twice = covariates.find((covariate, i) => covariates.indexOf(covariate) !== i);
  if (twice !== undefined) {
    throw new RangeError(`Cannot find features: covariates must differ, got "${twice}" twice`);
  }
  const jobs = Array.from({ length: numOccupations }, (_, occupation) => `${occupation}`);
  const categories: Record<string, string[]> = {};
  for (const covariate of covariates) {
    if (covariate === "last" || covariate === "previous") {
      categories[covariate] = ["none", ...jobs];
      continue;
    }
    const found = new Set<string>();
    for (const person of people) {
      for (let i = 0; i < person.occupations.length; i++) {
        const category = READERS[covariate](person, i);
        if (category !== undefined) found.add(category);
      }
    }
    categories[covariate] = [...found].toSorted(inOrder);
  }
  return { numOccupations, covariates, categories };
}

function inOrder(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  if (difference !== 0 && !Number.isNaN(difference)) return difference;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Finds the features of observations. */
export class Features {
  readonly space: FeatureSpace;
  /** Of all covariates, with the intercept. */
  readonly numFeatures: number;
  /** Name of each feature: `"last=12"`, `[numFeatures]`. */
  readonly names: readonly string[];
  readonly #places = new Map<Covariate, ReadonlyMap<string, number>>();

  constructor(space: FeatureSpace) {
    this.space = space;
    const names = ["intercept"];
    for (const covariate of space.covariates) {
      const categories = space.categories[covariate] ?? [];
      this.#places.set(
        covariate,
        new Map(categories.map((category, i) => [category, names.length + i])),
      );
      for (const category of categories) names.push(`${covariate}=${category}`);
    }
    this.names = names;
    this.numFeatures = names.length;
  }

  /**
   * Features of an observation, all of value 1, ascending; its own occupation is not read. A
   * category that no training person had is left out, but a year is taken as the nearest known.
   */
  at(person: Person, index: number): number[] {
    const found = [INTERCEPT];
    for (const [covariate, places] of this.#places) {
      const category = READERS[covariate](person, index);
      if (category === undefined) continue;
      const place =
        places.get(category) ??
        (covariate === "year" ? nearest(places, Number(category)) : undefined);
      if (place !== undefined) found.push(place);
    }
    return found;
  }

  /** All observations of people as the rows of a design. */
  design(people: readonly Person[]): Design {
    const rows = new SparseBuilder();
    const targets: number[] = [];
    for (const person of people) {
      person.occupations.forEach((occupation, index) => {
        for (const feature of this.at(person, index)) rows.add(feature);
        rows.endRow();
        targets.push(occupation);
      });
    }
    return {
      numRows: targets.length,
      numFeatures: this.numFeatures,
      sparse: rows.build(),
      targets: Uint32Array.from(targets),
    };
  }
}

/** Place of the year nearest to one that nobody was observed in; the earlier of two. */
function nearest(places: ReadonlyMap<string, number>, year: number): number | undefined {
  let best: number | undefined;
  let distance = Infinity;
  for (const [known, place] of places) {
    const far = Math.abs(Number(known) - year);
    if (far < distance) [best, distance] = [place, far];
  }
  return best;
}
