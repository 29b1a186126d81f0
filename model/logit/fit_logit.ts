import type { Gpu } from "../../engine/gpu.ts";
import { evaluate, perplexity } from "../occupation/metrics.ts";
import type { OccupationModel, Person } from "../occupation/occupation_model.ts";
import { type Covariate, Features, featureSpace, INTERCEPT } from "./covariates.ts";
import type { Design } from "./design.ts";
import { fitSoftmax, type SoftmaxFit } from "./fit_softmax.ts";
import type { MinimizeProgress } from "./lbfgs.ts";
import { logitModel, type LogitWeights } from "./logit_model.ts";
import type { SoftmaxWeights } from "./softmax_regression.ts";

/** How penalties are chosen. */
export interface PenaltySearch {
  /** L2 penalties to try, see {@linkcode fitSoftmax}; taken from the largest on. */
  readonly penalties: readonly number[];
  /** Logits are clamped to ±limit. */
  readonly limit: number;
  /** Most iterations of one fit. */
  readonly maxIterations?: number;
  /** Share of the first gradient's norm at which a fit ends. */
  readonly tolerance?: number;
  /** Share of the loss that ten iterations must gain, or a fit ends. */
  readonly valueTolerance?: number;
  readonly onIteration?: (penalty: number, progress: MinimizeProgress) => void;
  readonly signal?: AbortSignal;
}

/** A fit and what validation made of it. */
export interface PenaltyTrial {
  readonly penalty: number;
  /** Of validation observations. */
  readonly perplexity: number;
  readonly numIterations: number;
  readonly reason: SoftmaxFit["minimum"]["reason"];
}

/** What validation chose. */
export interface ChosenFit {
  readonly weights: SoftmaxWeights;
  readonly best: PenaltyTrial;
  /** In the order taken. */
  readonly trials: readonly PenaltyTrial[];
}

/**
 * Fits with penalties from the largest on, each from where the one before ended, and keeps the fit
 * that validation people find likeliest; ends after the first that they find less likely.
 *
 * @param gpu Device of the fits.
 * @param design Training observations; its first feature is the intercept, which is not shrunk.
 * @param search Penalties, and how fits end.
 * @param judge Perplexity of validation observations.
 */
export async function choosePenalty(
  gpu: Gpu,
  design: Design,
  search: PenaltySearch & { readonly numClasses: number },
  judge: (weights: SoftmaxWeights) => Promise<number>,
): Promise<ChosenFit> {
  const penalties = search.penalties.toSorted((a, b) => b - a);
  const trials: PenaltyTrial[] = [];
  let chosen: Omit<ChosenFit, "trials"> | undefined;
  let penalty = penalties[0];
  const fits = fitSoftmax(gpu, design, {
    ...search,
    penalties,
    freeFeatures: [INTERCEPT],
    start: startOf(design, search.numClasses),
    onIteration: (progress) => search.onIteration?.(penalty!, progress),
  });
  for await (const fit of fits) {
    const { iteration: numIterations, reason } = fit.minimum;
    const trial = {
      penalty: fit.penalty,
      perplexity: await judge(fit.weights),
      numIterations,
      reason,
    };
    trials.push(trial);
    penalty = penalties[trials.length];
    if (chosen !== undefined && !(trial.perplexity < chosen.best.perplexity)) break;
    chosen = { weights: fit.weights, best: trial };
  }
  if (chosen !== undefined) return { ...chosen, trials };
  throw new RangeError("Cannot choose a penalty: there must be one to try, got none");
}

/** Log shares of the classes as the intercept, with half an observation of each: no logit is −∞. */
function startOf(
  { numFeatures, numRows, targets, dense }: Design,
  numClasses: number,
): SoftmaxWeights {
  const table = new Float32Array(numFeatures * numClasses);
  const counts = new Float64Array(numClasses).fill(0.5);
  for (const target of targets) counts[target]! += 1;
  const total = numRows + numClasses / 2;
  const logs = counts.map((count) => Math.log(count / total));
  // Centered, as the weights are that no penalty distinguishes.
  const mean = logs.reduce((sum, log) => sum + log, 0) / numClasses;
  logs.forEach((log, y) => (table[INTERCEPT * numClasses + y] = log - mean));
  if (dense === undefined) return { table };
  return { table, dense: new Float32Array(numClasses * dense.numColumns) };
}

/** Options of {@linkcode fitLogit}. */
export interface FitLogitOptions extends PenaltySearch {
  readonly numOccupations: number;
  /** @default {DEFAULT_COVARIATES} */
  readonly covariates?: readonly Covariate[];
}

/** A fitted logit on covariates. */
export interface FittedLogit {
  readonly weights: LogitWeights;
  readonly best: PenaltyTrial;
  readonly trials: readonly PenaltyTrial[];
}

/**
 * Fits a multinomial logit on covariates, with the penalty that validation people choose.
 *
 * @throws {RangeError} If there are no people, penalties or covariates twice.
 */
export async function fitLogit(
  gpu: Gpu,
  { train, valid }: { readonly train: readonly Person[]; readonly valid: readonly Person[] },
  options: FitLogitOptions,
): Promise<FittedLogit> {
  const { numOccupations, limit } = options;
  const space = featureSpace(train, options);
  const modelOf = ({ table }: SoftmaxWeights) => logitModel({ space, table, limit });
  const search = { ...options, numClasses: numOccupations };
  const design = new Features(space).design(train);
  const { weights, best, trials } = await choosePenalty(gpu, design, search, (fitted) =>
    validPerplexity(modelOf(fitted), valid),
  );
  return { weights: { space, table: weights.table, limit }, best, trials };
}

/** Perplexity of all observations of people; of none, 1: any model will do. */
export async function validPerplexity(
  model: OccupationModel,
  people: readonly Person[],
): Promise<number> {
  if (people.length === 0) return 1;
  return perplexity(await evaluate(model, people));
}
