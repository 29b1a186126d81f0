import { OCCUPATIONS } from "../../../data/occupations.ts";

/** An occupation with its probability. */
export interface Share {
  readonly code: string;
  readonly title: string;
  readonly probability: number;
}

/** Occupations by probability, highest first; equal ones in the order of the vocabulary. */
export function ranked(probabilities: ArrayLike<number>): Share[] {
  return OCCUPATIONS.map(({ code, title }, i) => ({
    code,
    title,
    probability: probabilities[i] ?? 0,
  })).toSorted((a, b) => b.probability - a.probability);
}

/** Place of an occupation among all by probability, from 1 on; equal ones share the better place. */
export function rankOf(shares: readonly Share[], code: string): number {
  const own = shares.find((share) => share.code === code)?.probability ?? 0;
  return shares.filter(({ probability }) => probability > own).length + 1;
}

/**
 * How many equally likely occupations would be as uncertain: e to the entropy.
 *
 *     exp(−Σ p ln p)
 */
export function effectiveNumber(probabilities: ArrayLike<number>): number {
  let entropy = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i]!;
    if (p > 0) entropy -= p * Math.log(p);
  }
  return Math.exp(entropy);
}

/** A difference of probabilities in percentage points: `"+3.2"`, `"−0.4"`, `"0.0"`. */
export function points(difference: number): string {
  const text = Math.abs(100 * difference).toFixed(1);
  if (text === "0.0") return text;
  return `${difference < 0 ? "−" : "+"}${text}`;
}

/** Uncertainty in plain words. */
export function uncertainty(probabilities: ArrayLike<number>): string {
  const number = effectiveNumber(probabilities);
  if (number < 1.05) return "Nearly certain: one occupation has almost all of the probability.";
  const text = number < 10 ? number.toFixed(1) : String(Math.round(number));
  return `About as uncertain as a choice among ${text} equally likely occupations.`;
}

/** A change of an occupation's probability. */
export interface ShareChange {
  readonly code: string;
  readonly title: string;
  readonly before: number;
  readonly after: number;
}

/** The occupations whose probability changes most, from the greatest gain to the greatest loss. */
export function largestChanges(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  count: number,
): ShareChange[] {
  const gain = (change: ShareChange) => change.after - change.before;
  return OCCUPATIONS.map(({ code, title }, i) => ({
    code,
    title,
    before: before[i] ?? 0,
    after: after[i] ?? 0,
  }))
    .toSorted((a, b) => Math.abs(gain(b)) - Math.abs(gain(a)))
    .slice(0, count)
    .toSorted((a, b) => gain(b) - gain(a));
}

/**
 * The probability that lies elsewhere: the distance in total variation.
 *
 *     ½ Σ |p − q|
 */
export function movedShare(before: ArrayLike<number>, after: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < before.length; i++) sum += Math.abs(after[i]! - before[i]!);
  return sum / 2;
}
