import type { Gpu } from "../../engine/gpu.ts";
import type { Design } from "../logit/design.ts";
import { choosePenalty, type PenaltySearch, type PenaltyTrial } from "../logit/fit_logit.ts";
import type { SoftmaxWeights } from "../logit/softmax_regression.ts";
import type { Person } from "../occupation/occupation_model.ts";
import { asked, distributionAt, type EmbeddingLogitWeights } from "./embedding_model.ts";
import { type PrincipalComponents, principalComponents, project, type Vectors } from "./pca.ts";
import type { PromptStates } from "./prompt_states.ts";

/** States of observations, and what really happened. */
export interface EmbeddedObservations {
  readonly states: Vectors;
  /** `[count]`. */
  readonly targets: Uint32Array<ArrayBuffer>;
}

/** Options of {@linkcode fitEmbeddingLogit}. */
export interface FitEmbeddingOptions extends PenaltySearch {
  readonly numOccupations: number;
  /** Numbers of components to try; `"full"` and what is beyond all takes all of them. */
  readonly components: readonly (number | "full")[];
  /** Told before each number of components. */
  readonly onComponents?: (numComponents: number) => void;
}

/** A fitted logit on embeddings, and what validation chose. */
export interface FittedEmbeddingLogit {
  readonly weights: EmbeddingLogitWeights;
  readonly numComponents: number;
  readonly best: PenaltyTrial;
  /** Perplexity of validation observations by number of components. */
  readonly perplexities: ReadonlyMap<number, number>;
  readonly trials: readonly PenaltyTrial[];
}

/**
 * States of all observations of people that are asked about.
 *
 * @param onPerson Told after every person how many are done.
 */
export async function embedPeople(
  states: PromptStates,
  people: readonly Person[],
  onPerson?: (numDone: number) => void,
): Promise<EmbeddedObservations> {
  const targets = people.flatMap(({ occupations, askedFrom = 0 }) => occupations.slice(askedFrom));
  const { dModel: size } = states;
  const values = new Float32Array(targets.length * size);
  let [offset, numDone] = [0, 0];
  for await (const part of states.states(people.map(asked))) {
    values.set(part, offset);
    offset += part.length;
    onPerson?.(++numDone);
  }
  return { states: { count: targets.length, size, values }, targets: Uint32Array.from(targets) };
}

/**
 * Fits logits on principal components of states; validation chooses how many, and the penalty.
 * Components are scaled to variance one, so that a penalty means the same for all.
 *
 * @throws {RangeError} If there are too few observations, or nothing to try.
 */
export async function fitEmbeddingLogit(
  gpu: Gpu,
  { train, valid }: { readonly train: EmbeddedObservations; readonly valid: EmbeddedObservations },
  options: FitEmbeddingOptions,
): Promise<FittedEmbeddingLogit> {
  const { numOccupations, limit } = options;
  const pca = await principalComponents(gpu, train.states);
  const numbers = options.components.map((wanted) =>
    wanted === "full" ? pca.numComponents : Math.min(wanted, pca.numComponents),
  );
  const perplexities = new Map<number, number>();
  const trials: PenaltyTrial[] = [];
  let chosen: Pick<FittedEmbeddingLogit, "weights" | "numComponents" | "best"> | undefined;
  for (const numComponents of new Set(numbers)) {
    options.onComponents?.(numComponents);
    const flatten = (fitted: SoftmaxWeights) =>
      flattened(fitted, pca, { numComponents, numOccupations, limit });
    const search = { ...options, numClasses: numOccupations };
    const fit = await choosePenalty(gpu, designOf(train, pca, numComponents), search, async (w) =>
      perplexityOf(flatten(w), valid),
    );
    trials.push(...fit.trials);
    perplexities.set(numComponents, fit.best.perplexity);
    if (chosen !== undefined && !(fit.best.perplexity < chosen.best.perplexity)) continue;
    chosen = { weights: flatten(fit.weights), numComponents, best: fit.best };
  }
  if (chosen !== undefined) return { ...chosen, perplexities, trials };
  throw new RangeError("Cannot fit a logit on embeddings: there must be components to try");
}

/** Components of every observation, behind an intercept. */
function designOf(
  { states, targets }: EmbeddedObservations,
  pca: PrincipalComponents,
  numComponents: number,
): Design {
  const numRows = targets.length;
  return {
    numRows,
    numFeatures: 1,
    sparse: {
      starts: Uint32Array.from({ length: numRows + 1 }, (_, row) => row),
      columns: new Uint32Array(numRows),
    },
    dense: { numColumns: numComponents, values: project(pca, states, numComponents) },
    targets,
  };
}

/** Weights of components as weights of states: a linear map of a linear map. */
function flattened(
  { table, dense }: SoftmaxWeights,
  { size, mean, directions, variances }: PrincipalComponents,
  {
    numComponents,
    numOccupations,
    limit,
  }: Pick<FittedEmbeddingLogit, "numComponents"> &
    Pick<EmbeddingLogitWeights, "numOccupations" | "limit">,
): EmbeddingLogitWeights {
  const weight = new Float32Array(numOccupations * size);
  const bias = new Float32Array(numOccupations);
  const row = new Float64Array(size);
  for (let y = 0; y < numOccupations; y++) {
    row.fill(0);
    for (let component = 0; component < numComponents; component++) {
      const factor = dense![y * numComponents + component]! / Math.sqrt(variances[component]!);
      for (let i = 0; i < size; i++) row[i]! += factor * directions[component * size + i]!;
    }
    weight.set(row, y * size);
    bias[y] = row.reduce((sum, value, i) => sum - value * mean[i]!, table[y]!);
  }
  return { dModel: size, numOccupations, weight, bias, limit };
}

/** Of no observations, 1: any model will do. */
function perplexityOf(
  weights: EmbeddingLogitWeights,
  { states, targets }: EmbeddedObservations,
): number {
  const { size, values } = states;
  let sum = 0;
  targets.forEach((target, row) => {
    sum -= Math.log(
      distributionAt(weights, values.subarray(row * size, (row + 1) * size))[target]!,
    );
  });
  return Math.exp(sum / Math.max(1, targets.length));
}
