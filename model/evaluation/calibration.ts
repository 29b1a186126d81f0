import { chiSquareTail } from "./distributions.ts";
import type { RankedMoves } from "./moves.ts";
import { deviation, type Weights } from "./resampling.ts";

/** How observations are grouped by their predicted probability of moving. */
export interface CalibrationOptions {
  /** Groups of equal size, or of equal width from 0 to 1. */
  readonly by: "quantiles" | "width";
  /** @default {10} */
  readonly numGroups?: number;
}

/** Predicted and observed share of moves in a group of observations. */
export interface CalibrationGroup {
  /** Mean predicted probability of moving; NaN in an empty group. */
  readonly predicted: number;
  /** Share that moved; NaN in an empty group. */
  readonly observed: number;
  /** Observations, by weight. */
  readonly count: number;
  /** Variance of the number of moves, were the predictions true: Σ p (1 − p). */
  readonly variance: number;
}

/** A group with the standard error of its observed share. */
export interface CalibrationPoint extends CalibrationGroup {
  /** Standard deviation of `observed` over resampled people. */
  readonly error: number;
}

const DEFAULT_GROUPS = 10;

/**
 * Predicted and observed shares of moves in groups of similar predictions.
 *
 * Quantiles are those of the weighted observations; observations of equal prediction stay
 * together, in the group that the middle of them is in, so that the order of the file is nothing.
 *
 * @param moves Sorted observations.
 * @param options How to group them.
 * @param weights How often each person is counted, `[numPeople]`; by default once.
 * @returns The groups by ascending prediction, `[numGroups]`, some perhaps empty.
 */
export function calibrationGroups(
  moves: RankedMoves,
  { by, numGroups = DEFAULT_GROUPS }: CalibrationOptions,
  weights?: Weights,
): CalibrationGroup[] {
  const { person, move, moved, ends } = moves;
  const counts = new Float64Array(numGroups);
  const predicted = new Float64Array(numGroups);
  const observed = new Float64Array(numGroups);
  const variance = new Float64Array(numGroups);
  const total = by === "quantiles" ? totalWeight(moves, weights) : 0;
  let [i, before] = [0, 0];
  for (const end of ends) {
    let [count, numMoved] = [0, 0];
    for (; i < end; i++) {
      const weight = weights ? weights[person[i]!]! : 1;
      count += weight;
      numMoved += weight * moved[i]!;
    }
    const p = move[end - 1]!;
    const place = by === "quantiles" ? (before + count / 2) / total : p;
    const group = Math.max(0, Math.min(numGroups - 1, Math.floor(numGroups * place)));
    counts[group]! += count;
    predicted[group]! += count * p;
    observed[group]! += numMoved;
    variance[group]! += count * p * (1 - p);
    before += count;
  }
  return Array.from(counts, (count, group) => ({
    predicted: predicted[group]! / count,
    observed: observed[group]! / count,
    count,
    variance: variance[group]!,
  }));
}

function totalWeight({ person }: RankedMoves, weights?: Weights): number {
  return weights ? person.reduce((sum, p) => sum + weights[p]!, 0) : person.length;
}

/**
 * Calibration error: the root mean square, over the groups that are not empty, of the gap between
 * the predicted and the observed share of moves. Groups count equally, as in the paper, so that an
 * almost empty group of equal width counts as much as a full one.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}
 *
 * @param moves Sorted observations.
 * @param options How to group them.
 * @param weights How often each person is counted, `[numPeople]`; by default once.
 * @returns The error; NaN without observations, or where a prediction is missing.
 */
export function calibrationError(
  moves: RankedMoves,
  options: CalibrationOptions,
  weights?: Weights,
): number {
  if (!moves.isComplete) return NaN;
  let [squares, numGroups] = [0, 0];
  for (const { predicted, observed, count } of calibrationGroups(moves, options, weights)) {
    if (count === 0) continue;
    squares += (predicted - observed) ** 2;
    numGroups++;
  }
  return Math.sqrt(squares / numGroups);
}

/**
 * Calibration curve: the groups that are not empty, with standard errors of observed shares.
 *
 * @param moves Sorted observations.
 * @param options How to group them.
 * @param draws Weights of resampled people.
 * @returns The points by ascending prediction; none where a prediction is missing.
 */
export function calibrationCurve(
  moves: RankedMoves,
  options: CalibrationOptions,
  draws: readonly Weights[],
): CalibrationPoint[] {
  if (!moves.isComplete) return [];
  const drawn = draws.map((weights) =>
    calibrationGroups(moves, options, weights).map(({ observed }) => observed),
  );
  return calibrationGroups(moves, options)
    .map((group, g) => {
      const shares = drawn.map((groups) => groups[g]!).filter((share) => !Number.isNaN(share));
      return { ...group, error: deviation(shares) };
    })
    .filter(({ count }) => count > 0);
}

/** What a test found. */
export interface TestResult {
  readonly statistic: number;
  /** Degrees of freedom, where the statistic has any. */
  readonly degrees?: number;
  /** Probability of a statistic at least as large, were the predictions true. */
  readonly pValue: number;
}

/** Least variance of a number of moves for which the normal distribution is good enough. */
const LEAST_VARIANCE = 5;

/**
 * Tests whether predicted probabilities of moving are true ones, in the manner of Hosmer and
 * Lemeshow:
 *
 *     χ² = Σ_g (Σ_g (moved − p))² / Σ_g p (1 − p)
 *
 * with as many degrees of freedom as groups, since nothing was fitted to these people. Under true
 * probabilities the terms of a person over the years are uncorrelated, because each is centered
 * given all before it, so that several years of a person are no matter. Neighboring groups with
 * too few expected moves or stays are joined.
 *
 * @see {@link https://doi.org/10.1080/03610928008827941 | Hosmer & Lemeshow, 1980}
 *
 * @param moves Sorted observations.
 * @param options How to group them. @default {deciles}
 * @returns The test; NaN without observations, or where a prediction is missing.
 */
export function calibrationTest(
  moves: RankedMoves,
  options: CalibrationOptions = { by: "quantiles" },
): TestResult {
  const groups = joinSmall(calibrationGroups(moves, options));
  if (!moves.isComplete || groups.length === 0) return { statistic: NaN, degrees: 0, pValue: NaN };
  let statistic = 0;
  for (const { excess, variance } of groups) {
    // What is certain and did not happen is no chance.
    if (variance > 0) statistic += excess ** 2 / variance;
    else if (excess !== 0) statistic = Infinity;
  }
  const degrees = groups.length;
  return { statistic, degrees, pValue: chiSquareTail(statistic, degrees) };
}

/** Moves beyond those expected, and their variance, in groups that are large enough. */
function joinSmall(groups: readonly CalibrationGroup[]): { excess: number; variance: number }[] {
  const joined: { excess: number; variance: number }[] = [];
  for (const { predicted, observed, count, variance } of groups) {
    if (count === 0) continue;
    const excess = count * (observed - predicted);
    const last = joined.at(-1);
    if (!last || (last.variance >= LEAST_VARIANCE && variance >= LEAST_VARIANCE)) {
      joined.push({ excess, variance });
    } else {
      last.excess += excess;
      last.variance += variance;
    }
  }
  return joined;
}
