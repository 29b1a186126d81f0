import type { FeatureSpace } from "../logit/covariates.ts";
import { softmaxInPlace } from "../logit/logit_model.ts";
import { closedForm, type OccupationModel, type Person } from "../occupation/occupation_model.ts";
import { BagFeatures, type WeightedFeature } from "./bag_features.ts";

/** A fitted bag of jobs. */
export interface BagWeights {
  readonly space: FeatureSpace;
  readonly dModel: number;
  /** Embeddings of features, `[numFeatures, dModel]`. */
  readonly embedding: Float32Array<ArrayBuffer>;
  /** Embeddings of next jobs, `[numOccupations, dModel]`. */
  readonly output: Float32Array<ArrayBuffer>;
}

/**
 * Bag of jobs as an occupation model,
 *
 *     x    = last[y₁] + mean over earlier jobs of earlier[y] + Σ covariates
 *     P(y) = softmax(output · x)
 *
 * As `x` is linear in the embeddings, the product of the two tables is taken once, in float64;
 * then an observation costs as little as a logit's, on the host.
 *
 * @throws {RangeError} If the weights are not of the sizes.
 */
export function bagOfJobs(
  weights: BagWeights,
  { name = "bag of jobs" }: { readonly name?: string } = {},
): OccupationModel {
  const features = new BagFeatures(weights.space);
  const { numOccupations } = weights.space;
  const table = productOf(weights, features.numFeatures);
  // Observations of a person are asked one after another: their features are found together.
  let latest: { readonly person: Person; readonly found: WeightedFeature[][] } | undefined;
  return closedForm({
    name,
    numOccupations,
    distribution: (person, index) => {
      if (latest?.person !== person) latest = { person, found: features.of(person) };
      const logits = new Float64Array(numOccupations);
      for (const { feature, value } of latest.found[index]!) {
        const base = feature * numOccupations;
        for (let y = 0; y < numOccupations; y++) logits[y]! += value * table[base + y]!;
      }
      return softmaxInPlace(logits, Infinity);
    },
  });
}

/** `embedding · outputᵀ`, `[numFeatures, numOccupations]`. */
function productOf(
  { space: { numOccupations }, dModel, embedding, output }: BagWeights,
  numFeatures: number,
): Float64Array {
  const sizes = [embedding.length / dModel, output.length / dModel];
  if (sizes[0] !== numFeatures || sizes[1] !== numOccupations) {
    throw new RangeError(
      `Cannot use a bag of jobs: there must be ${numFeatures} and ${numOccupations} embeddings of ${dModel}, got ${sizes.join(" and ")}`,
    );
  }
  const table = new Float64Array(numFeatures * numOccupations);
  for (let feature = 0; feature < numFeatures; feature++) {
    const x = embedding.subarray(feature * dModel, (feature + 1) * dModel);
    for (let y = 0; y < numOccupations; y++) {
      const base = y * dModel;
      let sum = 0;
      for (let i = 0; i < dModel; i++) sum += x[i]! * output[base + i]!;
      table[feature * numOccupations + y] = sum;
    }
  }
  return table;
}
