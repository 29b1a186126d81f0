import { KINDS, type PerplexityOptions, type Variant } from "../occupation/metrics.ts";
import { type CalibrationOptions, calibrationError } from "./calibration.ts";
import { aucOf, rankMoves } from "./moves.ts";
import type { Predictions } from "./predictions.ts";
import type { Statistic, Weights } from "./resampling.ts";
import { selectObservations } from "./selection.ts";

/** A figure of predictions: prepared once, then computed for any weights of people. */
export interface Measure {
  /** Names the figure, unlike all others. */
  readonly name: string;
  readonly of: (predictions: Predictions) => Statistic;
}

/**
 * Perplexity over observations, each of weight one, as `perplexity()` defines it.
 *
 * @param options Kind of observation and which scores.
 */
export function perplexityMeasure(options: PerplexityOptions = {}): Measure {
  const { kind = "all", variant = "normalized" } = options;
  const loss = lossMeasure(options);
  return {
    name: `perplexity ${kind} ${variant}`,
    of(predictions) {
      const mean = loss.of(predictions);
      return (weights) => Math.exp(mean(weights));
    },
  };
}

/**
 * Mean negative log-likelihood of observations, in nats: the logarithm of the perplexity, and as
 * nearly normal as a mean is, where the perplexity of a poor model has a tail without end.
 *
 * @param options Kind of observation and which scores.
 */
export function lossMeasure(options: PerplexityOptions = {}): Measure {
  const { kind = "all", variant = "normalized" } = options;
  return {
    name: `loss ${kind} ${variant}`,
    of(predictions) {
      const chosen =
        kind === "all"
          ? predictions
          : selectObservations(predictions, (i) => predictions.kind[i] === KINDS.indexOf(kind));
      const mean = meanOverObservations(chosen, (i) => chosen[variant][i]!);
      return (weights) => -mean(weights);
    },
  };
}

/**
 * Share of observations whose occupation is among the `k` most probable ones. Of equally probable
 * occupations all count, so that a model without opinions looks better than it is.
 */
export function topMeasure(k: number): Measure {
  return {
    name: `top ${k}`,
    of: (predictions) =>
      meanOverObservations(predictions, (i) => (predictions.rank[i]! < k ? 1 : 0)),
  };
}

/** Mean log-probability of an observation, in nats. */
export function logLikelihoodMeasure(variant: Variant = "normalized"): Measure {
  return {
    name: `log-likelihood ${variant}`,
    of: (predictions) => meanOverObservations(predictions, (i) => predictions[variant][i]!),
  };
}

/** Area under the ROC curve of moving, see `aucOf()`. */
export const AUC: Measure = {
  name: "auc",
  of(predictions) {
    const moves = rankMoves(predictions);
    return (weights) => aucOf(moves, weights);
  },
};

/** Root mean square gap between predicted and observed shares of moves, see `calibrationError()`. */
export function calibrationMeasure(options: CalibrationOptions): Measure {
  return {
    name: `calibration ${options.by} ${options.numGroups ?? ""}`,
    of(predictions) {
      const moves = rankMoves(predictions);
      return (weights) => calibrationError(moves, options, weights);
    },
  };
}

/** Sums of log-probabilities by person, `[numPeople]`: what paired differences are made of. */
export function logLikelihoodByPerson(
  predictions: Predictions,
  variant: Variant = "normalized",
): Float64Array {
  const sums = new Float64Array(predictions.ids.length);
  predictions.person.forEach((p, i) => (sums[p]! += predictions[variant][i]!));
  return sums;
}

/**
 * Mean of a value over observations.
 *
 * @param predictions Whose observations.
 * @param valueAt The value at an index.
 * @returns The mean, for any weights of people; NaN of no observation.
 */
export function meanOverObservations(
  { ids, person }: Predictions,
  valueAt: (index: number) => number,
): Statistic {
  const sums = new Float64Array(ids.length);
  const counts = new Float64Array(ids.length);
  for (let i = 0; i < person.length; i++) {
    sums[person[i]!]! += valueAt(i);
    counts[person[i]!]! += 1;
  }
  return (weights?: Weights) => {
    const total = (values: Float64Array) => weightedSum(values, weights);
    return total(sums) / total(counts);
  };
}

/** A sum in which people of weight zero do not matter, whatever they have. */
function weightedSum(values: Float64Array, weights?: Weights): number {
  let sum = 0;
  if (!weights) for (let p = 0; p < values.length; p++) sum += values[p]!;
  else for (let p = 0; p < values.length; p++) sum += weights[p]! * values[p]!;
  if (!weights || !Number.isNaN(sum)) return sum;
  // Nothing times −∞ is not nothing: rare, and slower.
  return values.reduce(
    (rest, value, p) => (weights[p] === 0 ? rest : rest + weights[p]! * value),
    0,
  );
}
