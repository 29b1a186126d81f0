import {
  bootstrap,
  differenceOf,
  resampleWeights,
  type ResamplingOptions,
  standardErrorOf,
} from "../evaluation/resampling.ts";
import { perplexity, type Evaluation, type PerplexityOptions } from "./metrics.ts";

/** What to measure, and how people are resampled. */
export interface BootstrapOptions extends PerplexityOptions, ResamplingOptions {}

/** A difference of two perplexities and its uncertainty. */
export interface PairedDifference {
  /** First model's perplexity minus the second's. */
  readonly difference: number;
  /** Standard deviation of that difference over resampled test sets. */
  readonly standardError: number;
}

/**
 * Standard error of a perplexity: its standard deviation over test sets resampled by
 * person, with replacement, as in the paper.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}
 *
 * @param evaluation A model's sums.
 * @param options What to measure, how often to resample, and the seed.
 * @returns The standard error.
 */
export function standardError(evaluation: Evaluation, options: BootstrapOptions = {}): number {
  return standardErrorOf(figure(evaluation, options));
}

/**
 * Difference of two models on the same people, with the standard error of the paired
 * difference, which is far smaller than that of either perplexity.
 *
 * @param a First model's sums.
 * @param b Second model's sums, on the same people in the same order.
 * @param options What to measure, how often to resample, and the seed.
 * @returns `a`'s perplexity minus `b`'s, and its standard error.
 * @throws {RangeError} If the two were not measured on the same observations.
 */
export function pairedDifference(
  a: Evaluation,
  b: Evaluation,
  options: BootstrapOptions = {},
): PairedDifference {
  if (a.counts.length !== b.counts.length || a.counts.some((n, i) => n !== b.counts[i])) {
    throw new RangeError(
      `Cannot compare "${a.name}" with "${b.name}": both must be measured on the same ` +
        `observations, got ${a.numPeople} and ${b.numPeople} people with different observations`,
    );
  }
  const difference = differenceOf(figure(a, options), figure(b, options));
  return { difference: difference.value, standardError: standardErrorOf(difference) };
}

function figure(evaluation: Evaluation, options: BootstrapOptions) {
  return bootstrap(
    (weights) => perplexity(evaluation, options, weights),
    resampleWeights(evaluation.numPeople, options),
  );
}
