import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { AUC } from "../../model/evaluation/measures.ts";
import { aucOf, rankMoves, rocOf } from "../../model/evaluation/moves.ts";
import { madeMoves, madePredictions } from "./made_predictions.ts";

/** Sums of a few hundred f64 products of small integers and halves. */
const TOLERANCE = 1e-12;

/** Few levels, so that many predictions are equal. */
const OBSERVATION = fc.record({
  move: fc.integer({ min: 0, max: 8 }).map((level) => level / 8),
  moved: fc.boolean(),
  weight: fc.integer({ min: 0, max: 3 }),
});

/** The definition: every move against every stay. */
function aucByPairs(
  observations: readonly { move: number; moved: boolean; weight: number }[],
): number {
  let [won, pairs] = [0, 0];
  for (const a of observations) {
    for (const b of observations) {
      if (!a.moved || b.moved) continue;
      pairs += a.weight * b.weight;
      won += a.weight * b.weight * (a.move > b.move ? 1 : a.move === b.move ? 0.5 : 0);
    }
  }
  return won / pairs;
}

/** Mann and Whitney's formula on mid-ranks, for weights of one. */
function aucByRanks(observations: readonly { move: number; moved: boolean }[]): number {
  const rankOf = (move: number) =>
    observations.filter((other) => other.move < move).length +
    (observations.filter((other) => other.move === move).length + 1) / 2;
  const movers = observations.filter(({ moved }) => moved);
  const rankSum = movers.reduce((sum, { move }) => sum + rankOf(move), 0);
  const numStays = observations.length - movers.length;
  return (rankSum - (movers.length * (movers.length + 1)) / 2) / (movers.length * numStays);
}

function assertSame(actual: number, expected: number): void {
  if (Number.isNaN(expected)) assert.ok(Number.isNaN(actual), `${actual}, not NaN`);
  else assert.ok(Math.abs(actual - expected) < TOLERANCE, `${actual}, not ${expected}`);
}

test("aucOf() is the share of pairs in the right order, with ties and weights", () => {
  fc.assert(
    fc.property(fc.array(OBSERVATION, { maxLength: 40 }), (observations) => {
      const moves = rankMoves(madeMoves(observations));
      const weights = Float64Array.from(observations, ({ weight }) => weight);
      assertSame(aucOf(moves, weights), aucByPairs(observations));
      const ones = observations.map((observation) => ({ ...observation, weight: 1 }));
      assertSame(aucOf(moves), aucByPairs(ones));
      assertSame(aucOf(moves), aucByRanks(observations));
    }),
    { numRuns: 300, seed: 2 },
  );
});

test("the area under the ROC curve's lines is the AUC", () => {
  fc.assert(
    fc.property(fc.array(OBSERVATION, { maxLength: 60 }), (observations) => {
      const moves = rankMoves(madeMoves(observations));
      const points = rocOf(moves);
      if (Number.isNaN(aucOf(moves))) return assert.deepEqual(points, []);
      let area = 0;
      for (let i = 1; i < points.length; i++) {
        const [[x0, y0], [x1, y1]] = [points[i - 1]!, points[i]!];
        assert.ok(x1 >= x0 && y1 >= y0, "the curve must rise");
        area += ((x1 - x0) * (y0 + y1)) / 2;
      }
      assertSame(area, aucOf(moves));
      assert.deepEqual(
        [points[0], points.at(-1)],
        [
          [0, 0],
          [1, 1],
        ],
      );
    }),
    { numRuns: 200, seed: 3 },
  );
});

test("a thinned ROC curve keeps its ends and leaves out no step larger than two resolutions", () => {
  const observations = Array.from({ length: 4000 }, (_, i) => ({
    move: ((i * 37) % 4000) / 4000,
    moved: (i * 11) % 7 < 3,
  }));
  const moves = rankMoves(madeMoves(observations));
  const points = rocOf(moves, { resolution: 0.01 });
  assert.ok(points.length < 210, `${points.length} points`);
  assert.deepEqual(
    [points[0], points.at(-1)],
    [
      [0, 0],
      [1, 1],
    ],
  );
  for (let i = 1; i < points.length; i++) {
    assert.ok(
      points[i]![0] - points[i - 1]![0] <= 0.02 && points[i]![1] - points[i - 1]![1] <= 0.02,
    );
  }
});

test("stays that only differ far below 1 are told apart", () => {
  const predictions = madePredictions([
    [{}, { kind: "moving", move: 1 }],
    [{}, { kind: "staying", move: 1 }],
  ]);
  predictions.stay[1] = 1e-30;
  predictions.stay[3] = 2e-30;
  assert.equal(aucOf(rankMoves(predictions)), 1);
});

test("AUC leaves out first observations, and is NaN where a later one has no prediction", () => {
  const people = [
    [{ move: 0.9 }, { kind: "staying" as const, move: 0.1 }],
    [{ move: 0.9 }, { kind: "moving" as const, move: 0.2 }],
  ];
  assert.equal(AUC.of(madePredictions(people))(), 1);
  const missing = [...people, [{}, { kind: "moving" as const }]];
  assert.ok(Number.isNaN(AUC.of(madePredictions(missing))()));
  assert.deepEqual(rocOf(rankMoves(madePredictions(missing))), []);
});
