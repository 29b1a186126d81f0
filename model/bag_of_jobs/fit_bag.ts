import type { Gpu } from "../../engine/gpu.ts";
import { type Covariate, featureSpace } from "../logit/covariates.ts";
import type { Person } from "../occupation/occupation_model.ts";
import { Trainer, type TrainerEvent } from "../train/trainer.ts";
import { BagFeatures, DEFAULT_BAG_COVARIATES } from "./bag_features.ts";
import type { BagWeights } from "./bag_model.ts";
import {
  type BagBatch,
  bagObjective,
  type BagParameters,
  bagParameters,
  inOrder,
  shuffled,
} from "./bag_objective.ts";

/** How a bag of jobs is fitted. */
export interface FitBagOptions {
  readonly numOccupations: number;
  /** Width of embeddings. */
  readonly dModel: number;
  /** Besides the last job and the earlier ones. @default {DEFAULT_BAG_COVARIATES} */
  readonly covariates?: readonly Covariate[];
  /** Most passes over the people; validation may end a fit before. */
  readonly epochs: number;
  /** Observations of a step. */
  readonly batchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Epochs without a better validation after which a fit ends. */
  readonly patience: number;
  readonly seed: number;
  /** Told of the trainer's events, and how many steps there are at most. */
  readonly onEvent?: (event: TrainerEvent, maxSteps: number) => void;
  readonly signal?: AbortSignal;
}

/** A fitted bag of jobs and how it came to be. */
export interface FittedBag {
  readonly weights: BagWeights;
  /** Perplexity of validation observations by step. */
  readonly curve: readonly { readonly step: number; readonly perplexity: number }[];
  readonly bestStep: number;
}

/**
 * Fits a bag of jobs by AdamW, and keeps the weights of the best validation; without validation
 * people, those of the last step.
 *
 * @throws {RangeError} If there are no people to learn from.
 */
export async function fitBag(
  gpu: Gpu,
  { train, valid }: { readonly train: readonly Person[]; readonly valid: readonly Person[] },
  options: FitBagOptions,
): Promise<FittedBag> {
  const { numOccupations, dModel, covariates = DEFAULT_BAG_COVARIATES, seed, signal } = options;
  const space = featureSpace(train, { numOccupations, covariates: ["last", ...covariates] });
  const features = new BagFeatures(space);
  const [data, held] = [features.rows(train), features.rows(valid)];
  const { numFeatures } = features;
  const parameters = bagParameters(gpu, { numFeatures, numOccupations, dModel }, seed);
  const numRows = Math.min(options.batchSize, data.targets.length);
  const stepsOfEpoch = Math.ceil(data.targets.length / numRows);
  const maxSteps = options.epochs * stepsOfEpoch;
  const objective = bagObjective(parameters, mostEntries(data.sparse, held.sparse));
  const trainer = new Trainer<BagBatch>(gpu, objective, {
    numRows,
    seqLen: 1,
    seed,
    maxSteps,
    learningRate: options.learningRate,
    warmupSteps: Math.min(stepsOfEpoch, Math.ceil(maxSteps / 20)),
    decay: "linear",
    weightDecay: options.weightDecay,
    evalEvery: stepsOfEpoch,
    patience: options.patience,
  });
  const count = held.targets.length;
  const validation = { batches: () => inOrder(held, numRows), count };
  const curve: { step: number; perplexity: number }[] = [];
  let best: { readonly step: number; readonly values: BagValues } | undefined;
  try {
    const batches = shuffled(data, { numRows, seed });
    const run = trainer.run(batches, count > 0 ? { validation } : {});
    for await (const event of run) {
      signal?.throwIfAborted();
      if (event.type === "validation") {
        curve.push({ step: event.step, perplexity: Math.exp(event.loss) });
        if (event.isBest) best = { step: event.step, values: await read(gpu, parameters) };
      }
      options.onEvent?.(event, maxSteps);
    }
    const { step, values } = best ?? {
      step: trainer.state.step,
      values: await read(gpu, parameters),
    };
    return { weights: { space, dModel, ...values }, curve, bestStep: step };
  } finally {
    trainer.step.destroy();
  }
}

type BagValues = Pick<BagWeights, "embedding" | "output">;

async function read(gpu: Gpu, { embedding, output }: BagParameters): Promise<BagValues> {
  return { embedding: await gpu.read(embedding), output: await gpu.read(output) };
}

/** Most entries of a row. */
function mostEntries(...all: { readonly starts: Uint32Array }[]): number {
  let most = 1;
  for (const { starts } of all) {
    for (let row = 1; row < starts.length; row++) {
      most = Math.max(most, starts[row]! - starts[row - 1]!);
    }
  }
  return most;
}
