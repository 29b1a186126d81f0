import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../data/random.ts";
import { normalTails } from "../../model/evaluation/distributions.ts";
import { AUC, logLikelihoodMeasure, type Measure } from "../../model/evaluation/measures.ts";
import type { Predictions } from "../../model/evaluation/predictions.ts";
import {
  bootstrap,
  deviation,
  differenceOf,
  resampleWeights,
  standardErrorOf,
  clusteredError,
} from "../../model/evaluation/resampling.ts";
import { madeMoves, madePredictions } from "./made_predictions.ts";

const NUM_REPETITIONS = 400;
/** Three standard errors of a share near 95 % in so many repetitions, and one for 100 draws only. */
const COVERAGE = [0.95 - 0.045, 0.95 + 0.033] as const;

/** Share of repetitions whose interval of 1.96 standard errors holds the true value. */
function coverage(
  draw: () => Predictions,
  { measure, truth }: { readonly measure: Measure; readonly truth: number },
): number {
  let covered = 0;
  for (let repetition = 0; repetition < NUM_REPETITIONS; repetition++) {
    const predictions = draw();
    const draws = resampleWeights(predictions.ids.length, { seed: repetition });
    const figure = bootstrap(measure.of(predictions), draws);
    if (Math.abs(figure.value - truth) <= 1.96 * standardErrorOf(figure)) covered++;
  }
  return covered / NUM_REPETITIONS;
}

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

/** Log-probabilities of mean −2 that share a part within a person. */
function dependent(random: Random): number[][] {
  return Array.from({ length: 150 }, () => {
    const own = normal(random);
    return Array.from({ length: 4 }, () => -2 + own + 0.5 * normal(random));
  });
}

test("intervals by person cover a known mean 95 times in 100, though years of a person go together", () => {
  const random = Random.from(1, "coverage");
  const share = coverage(
    () => madePredictions(dependent(random).map((p) => p.map((normalized) => ({ normalized })))),
    { measure: logLikelihoodMeasure(), truth: -2 },
  );
  assert.ok(share >= COVERAGE[0] && share <= COVERAGE[1], `${share}`);
});

test("intervals by observation would cover far less often", () => {
  const random = Random.from(1, "coverage");
  const share = coverage(
    () =>
      madePredictions(dependent(random).flatMap((p) => p.map((normalized) => [{ normalized }]))),
    { measure: logLikelihoodMeasure(), truth: -2 },
  );
  assert.ok(share < 0.85, `${share}`);
});

test("intervals of the AUC cover Φ(d/√2), the area of two normal distributions d apart", () => {
  const random = Random.from(2, "coverage");
  const d = 1;
  const share = coverage(
    () =>
      madeMoves(
        Array.from({ length: 300 }, (_, i) => {
          const moved = i % 3 === 0;
          return { move: 1 / (1 + Math.exp(-normal(random) - (moved ? d : 0))), moved };
        }),
      ),
    { measure: AUC, truth: 1 - normalTails(d / Math.SQRT2) / 2 },
  );
  assert.ok(share >= COVERAGE[0] && share <= COVERAGE[1], `${share}`);
});

test("every draw has as many people as there are, each about equally often", () => {
  const draws = resampleWeights(50, { replications: 2000, seed: 5 });
  for (const weights of draws)
    assert.equal(
      weights.reduce((a, b) => a + b),
      50,
    );
  for (let p = 0; p < 50; p++) {
    const mean = draws.reduce((sum, weights) => sum + weights[p]!, 0) / draws.length;
    // Binomial: five standard errors of √(0.98 / 2000).
    assert.ok(Math.abs(mean - 1) < 5 * Math.sqrt(0.98 / 2000), `${p}: ${mean}`);
  }
  assert.deepEqual(resampleWeights(50, { replications: 2000, seed: 5 }), draws);
});

test("a paired difference of figures that move together has a small error", () => {
  const a = { value: 3, replicates: Float64Array.of(2, 3, 4) };
  const b = { value: 2, replicates: Float64Array.of(1.1, 2, 2.9) };
  const difference = differenceOf(a, b);
  assert.equal(difference.value, 1);
  assert.ok(Math.abs(standardErrorOf(difference) - 0.1) < 1e-12);
  assert.throws(() => differenceOf(a, { value: 0, replicates: new Float64Array(2) }), {
    name: "RangeError",
    message: /^Cannot compare two figures: both must be computed on the same draws, got 3 and 2$/,
  });
});

test("errors of a mean by cluster: as by value where each is alone, larger where they go together", () => {
  const values = [1, 2, 4, 8, 16, 32];
  const alone = clusteredError(values, [...values.keys()]);
  assert.ok(Math.abs(alone - deviation(values) / Math.sqrt(values.length)) < 1e-12);
  // Every value twice is no more than once, if the two are of one person.
  const twice = values.flatMap((value) => [value, value]);
  const people = twice.map((_, i) => i >> 1);
  assert.ok(Math.abs(clusteredError(twice, people) - alone) < 1e-12);
  assert.ok(clusteredError(twice, [...twice.keys()]) < alone);
  assert.ok(
    Number.isNaN(
      clusteredError(
        values,
        values.map(() => "one person"),
      ),
    ),
  );
});

test("deviation() divides by n − 1; draws without a figure are left out, if they are few", () => {
  assert.equal(deviation([1, 2, 3, 4, 5]), Math.sqrt(2.5));
  assert.ok(Number.isNaN(deviation([1])));
  const error = (value: number, replicates: number[]) =>
    standardErrorOf({ value, replicates: Float64Array.from(replicates) });
  assert.equal(error(2, [1, 2, 3, NaN]), 1);
  assert.ok(Number.isNaN(error(2, [1, 3, NaN, NaN, NaN])));
  assert.ok(Number.isNaN(error(Infinity, [1, 2, 3])));
});
