import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../data/random.ts";
import {
  calibrationCurve,
  calibrationError,
  calibrationGroups,
  calibrationTest,
} from "../../model/evaluation/calibration.ts";
import { chiSquareTail, normalTails } from "../../model/evaluation/distributions.ts";
import { rankMoves } from "../../model/evaluation/moves.ts";
import { resampleWeights } from "../../model/evaluation/resampling.ts";
import { madeMoves, madePredictions } from "./made_predictions.ts";

/** Sums of f64 numbers of order one. */
const TOLERANCE = 1e-12;

function assertClose(actual: number, expected: number, tolerance = TOLERANCE): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`);
}

/** 100 observations at each of these probabilities, of which so many in a hundred moved. */
function constructed(groups: readonly (readonly [move: number, numMoved: number])[]) {
  return rankMoves(
    madeMoves(
      groups.flatMap(([move, numMoved]) =>
        Array.from({ length: 100 }, (_, i) => ({ move, moved: i < numMoved })),
      ),
    ),
  );
}

for (const by of ["quantiles", "width"] as const) {
  test(`groups by ${by} hold the observations of their predictions, by hand`, () => {
    const moves = constructed([
      [0.15, 20],
      [0.55, 50],
      [0.95, 95],
    ]);
    const groups = calibrationGroups(moves, { by }).filter(({ count }) => count > 0);
    assert.deepEqual(
      groups.map(({ count }) => count),
      [100, 100, 100],
    );
    groups.forEach(({ predicted, observed, variance }, g) => {
      assertClose(predicted, [0.15, 0.55, 0.95][g]!);
      assertClose(observed, [0.2, 0.5, 0.95][g]!);
      assertClose(variance, 100 * predicted * (1 - predicted));
    });
    assertClose(calibrationError(moves, { by }), Math.sqrt((0.05 ** 2 + 0.05 ** 2) / 3));
  });
}

test("the calibration error of shares as predicted is zero", () => {
  const moves = constructed([
    [0.05, 5],
    [0.31, 31],
    [0.77, 77],
  ]);
  assertClose(calibrationError(moves, { by: "quantiles" }), 0);
  assertClose(calibrationError(moves, { by: "width" }), 0);
});

test("deciles of different predictions are equal in size, and weights count as copies", () => {
  const observations = Array.from({ length: 200 }, (_, i) => ({
    move: (i + 0.5) / 200,
    moved: i % 3 === 0,
  }));
  const groups = calibrationGroups(rankMoves(madeMoves(observations)), { by: "quantiles" });
  assert.deepEqual(
    groups.map(({ count }) => count),
    Array.from({ length: 10 }, () => 20),
  );
  const weights = Float64Array.from(observations, (_, i) => i % 4);
  const copies = observations.flatMap((observation, i) =>
    Array.from({ length: i % 4 }, () => observation),
  );
  for (const by of ["quantiles", "width"] as const) {
    const weighted = calibrationGroups(rankMoves(madeMoves(observations)), { by }, weights);
    const copied = calibrationGroups(rankMoves(madeMoves(copies)), { by });
    weighted.forEach((group, g) => {
      for (const key of ["predicted", "observed", "count", "variance"] as const) {
        assertClose(group[key], copied[g]![key]);
      }
    });
  }
});

test("equal predictions stay together, in the decile that their middle is in", () => {
  // 100, 200 and 100 of 400: the middles are at 1/8, 1/2 and 7/8.
  const moves = constructed([
    [0.2, 10],
    [0.5, 50],
    [0.5, 60],
    [0.9, 80],
  ]);
  const groups = calibrationGroups(moves, { by: "quantiles" });
  assert.deepEqual(
    groups.map(({ count }) => count),
    [0, 100, 0, 0, 0, 200, 0, 0, 100, 0],
  );
});

test("a probability of exactly 0 or 1 has its place in groups of equal width", () => {
  const moves = constructed([
    [0, 0],
    [1, 100],
  ]);
  const groups = calibrationGroups(moves, { by: "width" });
  assert.deepEqual([groups[0]!.count, groups[9]!.count], [100, 100]);
});

test("standard errors of observed shares are those of independent observations", () => {
  const observations = Array.from({ length: 4000 }, (_, i) => ({
    move: i < 2000 ? 0.1 : 0.5,
    moved: i < 2000 ? i % 10 === 0 : i % 2 === 0,
  }));
  const draws = resampleWeights(4000, { replications: 400 });
  const [low, high] = calibrationCurve(rankMoves(madeMoves(observations)), { by: "width" }, draws);
  // √(p (1 − p) / n), which 400 draws find within some 3.5 %.
  assertClose(low!.error / Math.sqrt((0.1 * 0.9) / 2000), 1, 0.12);
  assertClose(high!.error / Math.sqrt((0.5 * 0.5) / 2000), 1, 0.12);
});

test("chiSquareTail() is the closed form for even degrees and known quantiles for odd ones", () => {
  for (const degrees of [2, 4, 10, 40]) {
    for (const x of [0.01, 1, degrees - 0.5, degrees + 3, 5 * degrees]) {
      let [term, sum] = [1, 1];
      for (let j = 1; j < degrees / 2; j++) sum += term *= x / 2 / j;
      const expected = Math.exp(-x / 2) * sum;
      assertClose(chiSquareTail(x, degrees) / expected, 1, 1e-10);
    }
  }
  // Tables of quantiles.
  assertClose(chiSquareTail(3.841458820694124, 1), 0.05, 1e-10);
  assertClose(chiSquareTail(16.918977604620448, 9), 0.05, 1e-10);
  assertClose(normalTails(-1.959963984540054), 0.05, 1e-10);
  assert.deepEqual([chiSquareTail(0, 3), chiSquareTail(Infinity, 3)], [1, 0]);
});

/** People of five later observations each, whose probabilities of moving differ by person and chance. */
function simulated(random: Random, { shift = 0 } = {}) {
  const people = Array.from({ length: 300 }, () => {
    const own = 3 * random.uniform() - 2;
    const later = Array.from({ length: 5 }, () => {
      const logOdds = own + random.uniform();
      const moved = random.uniform() < 1 / (1 + Math.exp(-logOdds));
      const move = 1 / (1 + Math.exp(-logOdds - shift));
      return { kind: moved ? ("moving" as const) : ("staying" as const), move };
    });
    return [{}, ...later];
  });
  return rankMoves(madePredictions(people));
}

test("calibrationTest() of true probabilities has uniform p-values", () => {
  const random = Random.from(1, "calibration test");
  const values = Array.from({ length: 400 }, () => calibrationTest(simulated(random)).pValue);
  // Three standard errors of a share of 400.
  for (const level of [0.05, 0.25, 0.5, 0.9]) {
    const share = values.filter((value) => value < level).length / values.length;
    assertClose(share, level, 3 * Math.sqrt((level * (1 - level)) / values.length));
  }
});

test("calibrationTest() finds log-odds shifted by 0.4", () => {
  const random = Random.from(2, "calibration test");
  const values = Array.from(
    { length: 50 },
    () => calibrationTest(simulated(random, { shift: 0.4 })).pValue,
  );
  assert.ok(
    values.every((value) => value < 0.01),
    `largest: ${Math.max(...values)}`,
  );
});

test("calibrationTest() by hand, with rare moves joined to the next group", () => {
  // Variances 0.99, 9 and 25; excesses 4, −2 and 5. The first is too small to stand alone.
  const moves = constructed([
    [0.01, 5],
    [0.1, 8],
    [0.5, 55],
  ]);
  const { statistic, degrees, pValue } = calibrationTest(moves);
  assert.equal(degrees, 2);
  assertClose(statistic, (4 - 2) ** 2 / 9.99 + 5 ** 2 / 25, 1e-9);
  assertClose(pValue, Math.exp(-statistic / 2), 1e-9);
});

test("what was ruled out and happened fails the test; without predictions there is none", () => {
  assert.equal(calibrationTest(constructed([[0, 3]])).pValue, 0);
  assert.equal(calibrationTest(constructed([[0, 0]])).pValue, 1);
  const missing = rankMoves(madePredictions([[{}, { kind: "moving" }]]));
  assert.ok(Number.isNaN(calibrationTest(missing).pValue));
  assert.ok(Number.isNaN(calibrationError(missing, { by: "width" })));
});
