import { KINDS } from "../occupation/metrics.ts";
import type { Predictions } from "./predictions.ts";
import type { Weights } from "./resampling.ts";

/**
 * Observations but the first of every person, sorted by the predicted probability of moving,
 * ascending: sorted once, every figure about moves then takes one walk.
 */
export interface RankedMoves {
  /** Number of all people, those without such an observation too. */
  readonly numPeople: number;
  /** Whose observation, `[numRanked]`. */
  readonly person: Uint32Array;
  /** Predicted probability of moving, `[numRanked]`. */
  readonly move: Float64Array;
  /** 1 where the person did move, `[numRanked]`. */
  readonly moved: Uint8Array;
  /** Ends, exclusive, of the runs of equal predictions, ascending, `[numTies]`. */
  readonly ends: Uint32Array;
  /** Whether every observation has a prediction; if not, figures are NaN. */
  readonly isComplete: boolean;
}

const ranked = new WeakMap<Predictions, RankedMoves>();

/** Sorts observations by the predicted probability of moving; the second time it is remembered. */
export function rankMoves(predictions: Predictions): RankedMoves {
  let moves = ranked.get(predictions);
  if (!moves) ranked.set(predictions, (moves = sortMoves(predictions)));
  return moves;
}

function sortMoves({ ids, person, kind, stay }: Predictions): RankedMoves {
  const first = KINDS.indexOf("first");
  const moving = KINDS.indexOf("moving");
  const later: number[] = [];
  for (let i = 0; i < kind.length; i++) if (kind[i] !== first) later.push(i);
  // Ties are told by `stay`, of which 1 − stay keeps fewer digits.
  const order = Uint32Array.from(later).toSorted((a, b) => stay[b]! - stay[a]!);
  const ends: number[] = [];
  order.forEach((index, i) => {
    if (i + 1 === order.length || stay[index] !== stay[order[i + 1]!]) ends.push(i + 1);
  });
  return {
    numPeople: ids.length,
    person: order.map((index) => person[index]!),
    move: Float64Array.from(order, (index) => 1 - stay[index]!),
    moved: Uint8Array.from(order, (index) => (kind[index] === moving ? 1 : 0)),
    ends: Uint32Array.from(ends),
    isComplete: !later.some((index) => Number.isNaN(stay[index])),
  };
}

/**
 * Area under the ROC curve of moving: the probability that a move was predicted with a higher
 * probability than a stay, where half counts for equal ones (mid-ranks).
 *
 *     Σ w w′ (1[move > move′] + ½ 1[move = move′]) / (Σ w Σ w′)
 *
 * over moves with weights w and stays with weights w′. One walk over the sorted observations.
 *
 * @param moves Sorted observations.
 * @param weights How often each person is counted, `[numPeople]`; by default once.
 * @returns The area; NaN without moves or without stays, or where a prediction is missing.
 *
 * @see {@link https://doi.org/10.1148/radiology.143.1.7063747 | Hanley & McNeil, 1982}
 */
export function aucOf({ person, moved, ends, isComplete }: RankedMoves, weights?: Weights): number {
  if (!isComplete) return NaN;
  let [pairs, staysBelow, numMoves, i] = [0, 0, 0, 0];
  for (const end of ends) {
    let [stays, moves] = [0, 0];
    for (; i < end; i++) {
      const weight = weights ? weights[person[i]!]! : 1;
      if (moved[i] === 1) moves += weight;
      else stays += weight;
    }
    pairs += moves * (staysBelow + stays / 2);
    staysBelow += stays;
    numMoves += moves;
  }
  return pairs / (numMoves * staysBelow);
}

/** A point of the ROC curve. */
export type RocPoint = readonly [falsePositives: number, truePositives: number];

/**
 * The ROC curve of moving, from (0, 0) to (1, 1): of all stays and of all moves, the shares that
 * are predicted above a threshold. The area under the lines between all its points is `aucOf()`.
 *
 * @param moves Sorted observations.
 * @param options Points nearer to the one before than `resolution` in both shares are left out.
 * @returns The points; none without moves or without stays, or where a prediction is missing.
 */
export function rocOf(
  { moved, ends, isComplete }: RankedMoves,
  { resolution = 0 }: { readonly resolution?: number } = {},
): RocPoint[] {
  const numMoves = moved.reduce((sum, one) => sum + one, 0);
  const numStays = moved.length - numMoves;
  if (!isComplete || numMoves === 0 || numStays === 0) return [];
  const points: RocPoint[] = [[0, 0]];
  let [moves, stays, i] = [0, 0, moved.length];
  for (let tie = ends.length - 1; tie >= 0; tie--) {
    for (const begin = tie === 0 ? 0 : ends[tie - 1]!; i > begin; i--) {
      if (moved[i - 1] === 1) moves++;
      else stays++;
    }
    const [x, y] = [stays / numStays, moves / numMoves];
    const [lastX, lastY] = points.at(-1)!;
    if (tie === 0 || x - lastX >= resolution || y - lastY >= resolution) points.push([x, y]);
  }
  return points;
}
