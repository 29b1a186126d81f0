import type { Career, Observation } from "../../data/career.ts";
import { distributionsOf, type Person } from "../occupation/occupation_model.ts";
import { type CareerModel, questionAfter } from "./career_model.ts";

/** An observation two years after the one before it. */
export interface Gap {
  readonly career: Career;
  /** Index of the observation after the gap, at least 1. */
  readonly index: number;
}

/** Log-probabilities of an occupation after a gap, see {@linkcode bridgeGaps}. */
export interface BridgedGap {
  /** Asked at once. */
  readonly direct: number;
  /** Asked through the year between. */
  readonly twoStep: number;
  /**
   * Probability of the occupations of the year between that were left out. The two-step probability
   * over all of them lies between `(1 − leftOut) · e^twoStep` and that plus `leftOut`.
   */
  readonly leftOut: number;
}

/** Options of {@linkcode bridgeGaps}. */
export interface BridgeOptions {
  /**
   * Probability of occupations of the year between that may be left out, the least probable ones;
   * 0 goes through all that have any.
   *
   * @default {0}
   */
  readonly tolerance?: number;
  /** Called after every gap with how many are done. */
  readonly onGap?: (numDone: number) => void;
  readonly signal?: AbortSignal;
}

/** All observations two years after the one before, of some people. */
export function findGaps(careers: readonly Career[]): Gap[] {
  return careers.flatMap((career) =>
    career.observations.flatMap(({ year }, index) =>
      index > 0 && year - career.observations[index - 1]!.year === 2 ? [{ career, index }] : [],
    ),
  );
}

/**
 * Asks what follows a year without an observation, at once and through that year:
 *
 *     direct     P(y at t + 2 | history to t)
 *     two-step   Σ_j P(j at t + 1 | history to t) · P(y at t + 2 | history to t, j at t + 1)
 *
 * with the education of the year between as at t, since it is not known to have risen. A model
 * that learned what years are for gives both nearly the same.
 *
 * @param of Which model.
 * @param gaps Of which people.
 * @returns Natural logarithms, by gap. Where occupations were left out, the sum over the others is
 *   divided by their probability.
 * @throws {RangeError} If the tolerance is not at least 0 and below 1.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}, on gap years
 */
export async function bridgeGaps(
  of: CareerModel,
  gaps: readonly Gap[],
  { tolerance = 0, onGap, signal }: BridgeOptions = {},
): Promise<BridgedGap[]> {
  if (!(tolerance >= 0 && tolerance < 1)) {
    throw new RangeError(
      `Cannot bridge gaps: the tolerance must be at least 0 and below 1, got ${tolerance}`,
    );
  }
  const bridged: BridgedGap[] = [];
  for (const gap of gaps) {
    signal?.throwIfAborted();
    bridged.push(await bridge(of, gap, tolerance));
    onGap?.(bridged.length);
  }
  return bridged;
}

async function bridge(of: CareerModel, gap: Gap, tolerance: number): Promise<BridgedGap> {
  const { career, index } = gap;
  const told = career.observations.slice(0, index);
  const last = told.at(-1)!;
  const end = career.observations[index]!;
  const asked = { year: last.year + 1, education: last.education };
  const [between] = await distributionsOf(of.model, [questionAfter(of, career, { told, asked })]);
  const { kept, leftOut } = likeliest(between!, tolerance);
  const ways: (readonly Observation[])[] = [
    [...told, end],
    ...kept.map((j) => [...told, { ...asked, occupation: of.codes[j]! }, end]),
  ];
  const people = ways.map((observations): Person => ({
    ...of.toPerson({ ...career, observations }),
    askedFrom: observations.length - 1,
  }));
  const ends: number[] = [];
  for await (const { normalized } of of.model.score(people)) ends.push(normalized.at(-1)!);
  const [direct, ...after] = ends;
  const sum = kept.reduce((total, j, i) => total + between![j]! * Math.exp(after[i]!), 0);
  return { direct: direct!, twoStep: Math.log(sum / (1 - leftOut)), leftOut };
}

/** The most probable occupations, as few as leave out no more than told. */
function likeliest(
  distribution: Float64Array,
  tolerance: number,
): { readonly kept: readonly number[]; readonly leftOut: number } {
  const order = Array.from(distribution.keys())
    .filter((j) => distribution[j]! > 0)
    .toSorted((a, b) => distribution[a]! - distribution[b]!);
  let leftOut = 0;
  let first = 0;
  while (first < order.length - 1 && leftOut + distribution[order[first]!]! <= tolerance) {
    leftOut += distribution[order[first]!]!;
    first += 1;
  }
  return { kept: order.slice(first), leftOut };
}

/**
 * Correlation of the two log-probabilities over gaps, as the paper reports it (Pearson's).
 *
 * @returns NaN of fewer than two gaps, or where either never varies.
 */
export function gapCorrelation(gaps: readonly Pick<BridgedGap, "direct" | "twoStep">[]): number {
  const mean = (valueOf: (gap: Pick<BridgedGap, "direct" | "twoStep">) => number) =>
    gaps.reduce((sum, gap) => sum + valueOf(gap), 0) / gaps.length;
  const [x, y] = [mean(({ direct }) => direct), mean(({ twoStep }) => twoStep)];
  const xy = mean(({ direct, twoStep }) => (direct - x) * (twoStep - y));
  const xx = mean(({ direct }) => (direct - x) ** 2);
  const yy = mean(({ twoStep }) => (twoStep - y) ** 2);
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : NaN;
}
