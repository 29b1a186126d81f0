import type { Person } from "../occupation/occupation_model.ts";
import type { CareerConfig } from "./config.ts";
import { covariateRows, type CovariateVocabulary } from "./covariates.ts";

/** One person as the model reads it; all arrays are `[numObservations]`. */
export interface PersonYears {
  /** Identifier of the person. */
  readonly id: string;
  /** Occupation before each observation; `numOccupations` marks that there was none. */
  readonly previous: Uint32Array<ArrayBuffer>;
  /** Occupation of each observation. */
  readonly targets: Uint32Array<ArrayBuffer>;
  /** Rows of each covariate, in the order of the vocabulary. */
  readonly covariates: readonly Uint32Array<ArrayBuffer>[];
}

/**
 * A person as the model reads it.
 *
 * @param person Occupations as indices, and the career.
 * @param vocabulary Covariates of the model.
 * @param config Sizes of the model.
 * @throws {RangeError} If the career is longer than the model's longest, or an occupation is not in
 *   the vocabulary.
 */
export function personYears(
  { career, occupations }: Person,
  vocabulary: CovariateVocabulary,
  { numOccupations, maxSeqLen }: Pick<CareerConfig, "numOccupations" | "maxSeqLen">,
): PersonYears {
  const { length } = occupations;
  const fail = (rule: string, got: unknown): never => {
    throw new RangeError(`Cannot read career "${career.id}": ${rule}, got ${String(got)}`);
  };
  if (length === 0 || length !== career.observations.length) {
    fail(`it must have an occupation for each of ${career.observations.length} years`, length);
  }
  if (length > maxSeqLen) {
    fail(
      `it must have at most ${maxSeqLen} years; build the model with a larger maxSeqLen`,
      length,
    );
  }
  for (const occupation of occupations) {
    if (Number.isInteger(occupation) && occupation >= 0 && occupation < numOccupations) continue;
    fail(`occupations must be integers in [0, ${numOccupations})`, occupation);
  }
  return {
    id: career.id,
    previous: Uint32Array.from([numOccupations, ...occupations.slice(0, -1)]),
    targets: Uint32Array.from(occupations),
    covariates: vocabulary.map((covariate) => covariateRows(career, covariate)),
  };
}
