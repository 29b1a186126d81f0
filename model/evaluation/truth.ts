import { normalTails } from "./distributions.ts";
import { meanOverObservations, type Measure } from "./measures.ts";
import type { TestResult } from "./calibration.ts";
import type { Predictions } from "./predictions.ts";

/**
 * How far a model is from the true process, where that is known: the mean, over observations, of
 *
 *     log P(occupation) − log Q(occupation)
 *
 * for the true P and the model's Q. Its expectation is the mean Kullback-Leibler divergence
 * KL(P ‖ Q), so the model's cross-entropy is the true entropy plus this. Chance moves both
 * logarithms together, and cancels mostly.
 *
 * @param truth Predictions by the true probabilities, on the same observations.
 * @returns The measure, in nats.
 */
export function divergenceFrom(truth: Predictions): Measure {
  return {
    name: "divergence",
    of: (predictions) =>
      meanOverObservations(predictions, (i) => truth.normalized[i]! - predictions.normalized[i]!),
  };
}

/** Mean and variance of the log-probability of what happens, if a distribution is true. */
export interface LogScoreMoments {
  /** Entropy of the distribution, in nats: minus the mean. */
  readonly entropy: number;
  readonly variance: number;
}

/** Moments of the log-probability of an occupation drawn from a distribution. */
export function logScoreMoments(distribution: ArrayLike<number>): LogScoreMoments {
  let [mean, square] = [0, 0];
  for (let i = 0; i < distribution.length; i++) {
    const p = distribution[i]!;
    if (p <= 0) continue;
    const log = Math.log(p);
    mean += p * log;
    square += p * log ** 2;
  }
  return { entropy: -mean, variance: Math.max(0, square - mean ** 2) };
}

/**
 * Tests whether log-probabilities are as high as a model itself expects:
 *
 *     z = Σ (log P(occupation) + entropy) / √Σ variance
 *
 * is standard normal if the model's distributions are the true ones. A model that is too sure of
 * itself has z far below 0, one that is too timid far above.
 *
 * @param logProbabilities Of what happened, `[numObservations]`.
 * @param moments Of the model's own distributions, `[numObservations]`.
 */
export function logScoreTest(
  logProbabilities: ArrayLike<number>,
  moments: readonly LogScoreMoments[],
): TestResult {
  let [excess, total] = [0, 0];
  moments.forEach(({ entropy, variance }, i) => {
    excess += logProbabilities[i]! + entropy;
    total += variance;
  });
  const statistic = excess / Math.sqrt(total);
  return { statistic, pValue: normalTails(statistic) };
}

/**
 * A distribution whose log-odds of one outcome are shifted, the others keeping their proportions:
 * a model that is wrong in a known way.
 *
 * @param distribution Sums to one, `[numOccupations]`.
 * @param options Which outcome, and by how much, in units of log-odds.
 */
export function shiftOdds(
  distribution: Float64Array,
  { outcome, shift }: { readonly outcome: number; readonly shift: number },
): Float64Array {
  const p = distribution[outcome]!;
  if (p === 0 || p === 1) return distribution.slice();
  const odds = (p / (1 - p)) * Math.exp(shift);
  const shifted = odds / (1 + odds);
  const scale = (1 - shifted) / (1 - p);
  return distribution.map((q, i) => (i === outcome ? shifted : q * scale));
}
