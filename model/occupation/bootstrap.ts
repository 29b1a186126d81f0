import { perplexity, type Evaluation, type PerplexityOptions } from "./metrics.ts";

/** Options for the bootstrap. */
export interface BootstrapOptions extends PerplexityOptions {
  /** Number of resampled test sets. @default {100} */
  readonly replications?: number;
  /** Seed of the resampling: the same seed draws the same people for every model. @default {1} */
  readonly seed?: number;
}

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
  return deviation(
    resample(evaluation.numPeople, options).map((drawn) => perplexity(evaluation, options, drawn)),
  );
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
  return {
    difference: perplexity(a, options) - perplexity(b, options),
    standardError: deviation(
      resample(a.numPeople, options).map(
        (drawn) => perplexity(a, options, drawn) - perplexity(b, options, drawn),
      ),
    ),
  };
}

function resample(numPeople: number, options: BootstrapOptions): Uint32Array[] {
  const { replications = 100, seed = 1 } = options;
  const random = splitMix32(seed);
  return Array.from({ length: replications }, () =>
    Uint32Array.from({ length: numPeople }, () => Math.floor(random() * numPeople)),
  );
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

/** Uniform numbers in [0, 1), 32 bits each: a Weyl sequence through a mixing function. */
function splitMix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}
