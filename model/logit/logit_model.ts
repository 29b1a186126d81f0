import { closedForm, type OccupationModel } from "../occupation/occupation_model.ts";
import { Features, type FeatureSpace } from "./covariates.ts";

/** A fitted logit on covariates. */
export interface LogitWeights {
  readonly space: FeatureSpace;
  /** `[numFeatures, numOccupations]`. */
  readonly table: Float32Array;
  /** Logits are clamped to ±limit. */
  readonly limit: number;
}

/**
 * Multinomial logit on covariates of an observation,
 *
 *     P(y) ∝ exp(clamp(Σ_f table[f, y], ±limit))        f over the features of the observation
 *
 * Computed in float64 on the host: an observation has a dozen features.
 *
 * @throws {RangeError} If the weights are not of the features' number.
 */
export function logitModel(
  { space, table, limit }: LogitWeights,
  { name = "multinomial logit" }: { readonly name?: string } = {},
): OccupationModel {
  const features = new Features(space);
  const { numOccupations } = space;
  const expected = features.numFeatures * numOccupations;
  if (table.length !== expected) {
    throw new RangeError(
      `Cannot use a logit: its table must have ${features.numFeatures} × ${numOccupations} weights, got ${table.length}`,
    );
  }
  return closedForm({
    name,
    numOccupations,
    distribution: (person, index) => {
      const logits = new Float64Array(numOccupations);
      for (const feature of features.at(person, index)) {
        const base = feature * numOccupations;
        for (let y = 0; y < numOccupations; y++) logits[y]! += table[base + y]!;
      }
      return softmaxInPlace(logits, limit);
    },
  });
}

/** Softmax of clamped logits, in their place. */
export function softmaxInPlace(logits: Float64Array, limit: number): Float64Array {
  let top = -Infinity;
  for (let y = 0; y < logits.length; y++) {
    logits[y] = Math.min(limit, Math.max(-limit, logits[y]!));
    top = Math.max(top, logits[y]!);
  }
  let total = 0;
  for (let y = 0; y < logits.length; y++) total += logits[y] = Math.exp(logits[y]! - top);
  for (let y = 0; y < logits.length; y++) logits[y]! /= total;
  return logits;
}
