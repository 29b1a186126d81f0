import { Features, type FeatureSpace } from "../logit/covariates.ts";
import { SparseBuilder } from "../logit/design.ts";
import type { Person } from "../occupation/occupation_model.ts";
import type { SparseRows } from "../../engine/sparse_input.ts";

/** What a bag of jobs may know besides the jobs: what CAREER's input has. */
export const BAG_COVARIATES = [
  "year",
  "education",
  "gender",
  "ethnicity",
  "region",
  "birth_year",
] as const;

/** One of {@linkcode BAG_COVARIATES}. */
export type BagCovariate = (typeof BAG_COVARIATES)[number];

/** Those that CAREER's model has in the paper. */
export const DEFAULT_BAG_COVARIATES: readonly BagCovariate[] = BAG_COVARIATES.filter(
  (covariate) => covariate !== "birth_year",
);

/** Features of an observation with their values. */
export interface WeightedFeature {
  readonly feature: number;
  readonly value: number;
}

/**
 * Features of a bag of jobs: those of the last job and of covariates, of value 1, and behind them
 * one for each occupation, whose values are its share among the observations before the last.
 */
export class BagFeatures {
  readonly features: Features;
  readonly numFeatures: number;

  constructor(space: FeatureSpace) {
    this.features = new Features(space);
    this.numFeatures = this.features.numFeatures + space.numOccupations;
  }

  /** Features of every observation of a person, each in time that does not grow with the past. */
  of(person: Person): WeightedFeature[][] {
    const { occupations } = person;
    const counts = new Map<number, number>();
    return occupations.map((_, index) => {
      // The last job is a feature of its own: the bag holds those before it.
      const joining = occupations[index - 2];
      if (joining !== undefined) counts.set(joining, (counts.get(joining) ?? 0) + 1);
      const found = this.features.at(person, index).map((feature) => ({ feature, value: 1 }));
      for (const [occupation, count] of counts) {
        const feature = this.features.numFeatures + occupation;
        found.push({ feature, value: count / (index - 1) });
      }
      return found;
    });
  }

  /** All observations of people as sparse rows, with what really happened. */
  rows(people: readonly Person[]): {
    readonly sparse: Required<SparseRows>;
    readonly targets: Uint32Array<ArrayBuffer>;
  } {
    const rows = new SparseBuilder();
    for (const person of people) {
      for (const found of this.of(person)) {
        for (const { feature, value } of found) rows.add(feature, value);
        rows.endRow();
      }
    }
    const targets = Uint32Array.from(people.flatMap(({ occupations }) => occupations));
    return { sparse: rows.build(), targets };
  }
}
