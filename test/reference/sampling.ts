import { philoxReference } from "./philox.ts";

/** A row to sample from. */
export interface SamplingReference {
  readonly logits: ArrayLike<number>;
  readonly seen?: ReadonlySet<number>;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
}

/** How far the borders of top-p and min-p are moved, to tell what lies within rounding of them. */
export interface Slack {
  /** Factor of topP. */
  readonly topP: number;
  /** Factor of minP. */
  readonly minP: number;
}

/** Logits after the repetition penalty. */
export function penalizedReference({
  logits,
  seen = new Set(),
  repetitionPenalty: p = 1,
}: Omit<SamplingReference, "temperature">): number[] {
  return Array.from(logits, (x, v) => (!seen.has(v) ? x : x > 0 ? x / p : x * p));
}

/**
 * Probabilities of the tokens in float64, 0 for those not kept: penalty, temperature, top-k,
 * top-p of what is left, min-p; whoever is as probable as the last one kept is kept.
 */
export function samplingReference(
  row: SamplingReference,
  slack: Slack = { topP: 1, minP: 1 },
): Float64Array {
  const { temperature, topK = 0, topP = 1, minP = 0 } = row;
  const x = penalizedReference(row);
  const top = x.reduce((a, b) => Math.max(a, b), -Infinity);
  let weights = Float64Array.from(x, (value) => Math.exp((value - top) / temperature));
  const descending = weights.toSorted().toReversed();
  if (topK > 0 && topK < x.length) {
    weights = weights.map((weight) => (weight >= descending[topK - 1]! ? weight : 0));
  }
  if (topP < 1) {
    const need = Math.min(1, topP * slack.topP) * weights.reduce((a, b) => a + b, 0);
    let sum = 0;
    const last = descending.find((weight) => (sum += weight) >= need) ?? 0;
    weights = weights.map((weight) => (weight >= last ? weight : 0));
  }
  weights = weights.map((weight) => (weight >= Math.min(1, minP * slack.minP) ? weight : 0));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** The first token, by id, that takes the sum of probabilities beyond `share`. */
export function drawReference(probabilities: Float64Array, share: number): number {
  let sum = 0;
  const token = probabilities.findIndex((p) => (sum += p) > share);
  return token === -1 ? probabilities.findLastIndex((p) => p > 0) : token;
}

/** The share of a row's seed and step, in [0, 1). */
export function shareReference(seed: number, step: number): number {
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  const samp = 0x73616d70; // "samp": a stream of its own
  return (philoxReference([step, 0, 0, samp], key)[0] >>> 8) / 2 ** 24;
}

/** `log softmax(logits)[token]`. */
export function logProbabilityReference(logits: ArrayLike<number>, token: number): number {
  const values = Array.from(logits);
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = values.reduce((sum, x) => sum + Math.exp(x - top), 0);
  return values[token]! - top - Math.log(total);
}
