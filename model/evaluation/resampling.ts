/** How often each person is counted, `[numPeople]`; absent where each counts once. */
export type Weights = Float64Array;

/** A figure of some people, for any weights of them. */
export type Statistic = (weights?: Weights) => number;

/** A figure on the people themselves, and on resampled people. */
export interface Bootstrapped {
  readonly value: number;
  /** The figure on each resampled set of people, `[replications]`. */
  readonly replicates: Float64Array;
}

/** How people are resampled. */
export interface ResamplingOptions {
  /** Number of resampled sets of people. @default {100} */
  readonly replications?: number;
  /** Seed of the draws: the same seed draws the same people for every model. @default {1} */
  readonly seed?: number;
}

/**
 * Draws people with replacement, as often as there are people, and counts how often each came.
 *
 * @param numPeople Whom to draw from.
 * @param options How many draws, and their seed.
 * @returns Weights of every draw, `[replications]` of `[numPeople]`.
 */
export function resampleWeights(numPeople: number, options: ResamplingOptions = {}): Weights[] {
  const { replications = 100, seed = 1 } = options;
  const random = splitMix32(seed);
  return Array.from({ length: replications }, () => {
    const weights = new Float64Array(numPeople);
    for (let i = 0; i < numPeople; i++) weights[Math.floor(random() * numPeople)]! += 1;
    return weights;
  });
}

/** Computes a figure on all people and on every draw of them. */
export function bootstrap(statistic: Statistic, draws: readonly Weights[]): Bootstrapped {
  return { value: statistic(), replicates: Float64Array.from(draws, (draw) => statistic(draw)) };
}

/**
 * One figure minus another, draw by draw.
 *
 * @param a A figure.
 * @param b Another, on the same draws.
 * @throws {RangeError} If the two were not computed on as many draws.
 */
export function differenceOf(a: Bootstrapped, b: Bootstrapped): Bootstrapped {
  if (a.replicates.length !== b.replicates.length) {
    throw new RangeError(
      `Cannot compare two figures: both must be computed on the same draws, got ${a.replicates.length} and ${b.replicates.length}`,
    );
  }
  return {
    value: a.value - b.value,
    replicates: a.replicates.map((replicate, i) => replicate - b.replicates[i]!),
  };
}

/**
 * Standard error of a figure: its standard deviation over resampled people. Draws that have no
 * figure, as when nobody of a small group was drawn, are left out; where they are more than half,
 * or the figure itself is not finite, there is no standard error.
 *
 * @returns The standard error; NaN if there is none.
 */
export function standardErrorOf({ value, replicates }: Bootstrapped): number {
  const finite = replicates.filter((replicate) => Number.isFinite(replicate));
  if (!Number.isFinite(value) || 2 * finite.length < replicates.length) return NaN;
  return deviation(finite);
}

/**
 * Standard deviation of a sample, around its mean, with n − 1 below.
 *
 * @returns The deviation; NaN of fewer than two values.
 */
export function deviation(values: ArrayLike<number>): number {
  const { length } = values;
  if (length < 2) return NaN;
  let mean = 0;
  for (let i = 0; i < length; i++) mean += values[i]! / length;
  let squares = 0;
  for (let i = 0; i < length; i++) squares += (values[i]! - mean) ** 2;
  return Math.sqrt(squares / (length - 1));
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

/**
 * Standard error of a mean of values that are independent between clusters, not within:
 *
 *     s² = C / (C − 1) · Σ_c (Σ_{i in c} (x_i − mean))² / n²
 *
 * @param values `[n]`.
 * @param clusters Which cluster each value belongs to, such as a person, `[n]`.
 * @returns NaN of fewer than two clusters. Where each value is a cluster, deviation / √n.
 */
export function clusteredError(values: readonly number[], clusters: readonly unknown[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const sums = new Map<unknown, number>();
  values.forEach((value, i) => {
    sums.set(clusters[i], (sums.get(clusters[i]) ?? 0) + value - mean);
  });
  const numClusters = sums.size;
  if (numClusters < 2) return NaN;
  const squares = [...sums.values()].reduce((total, sum) => total + sum * sum, 0);
  return Math.sqrt((squares * numClusters) / (numClusters - 1)) / values.length;
}
