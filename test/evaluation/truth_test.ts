import assert from "node:assert/strict";
import { test } from "node:test";
import { occupationIndex } from "../../data/occupations.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import { calibrationTest } from "../../model/evaluation/calibration.ts";
import { rankMoves } from "../../model/evaluation/moves.ts";
import { predictionsOf } from "../../model/evaluation/predictions.ts";
import { bootstrap, resampleWeights, standardErrorOf } from "../../model/evaluation/resampling.ts";
import {
  divergenceFrom,
  logScoreMoments,
  logScoreTest,
  shiftOdds,
} from "../../model/evaluation/truth.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";

/** P-values below this are taken as failures, as in the report. */
const LEVEL = 0.01;

const population = syntheticPopulation("survey");
const people = population.generate(600, { seed: 11 }).map((career) => ({
  career,
  occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
}));

/** The true distributions with the log-odds of staying shifted. */
function shifted(shift: number) {
  return ({ career, occupations }: Person, index: number) => {
    const truth = population.distributionAt(career, index);
    return index === 0 ? truth : shiftOdds(truth, { outcome: occupations[index - 1]!, shift });
  };
}

const oracle = predictionsOf(people, shifted(0));

test("the oracle passes the calibration test, and a shifted one fails it", () => {
  const { pValue } = calibrationTest(rankMoves(oracle));
  assert.ok(pValue > LEVEL, `oracle: ${pValue}`);
  for (const shift of [-0.3, 0.3]) {
    const { pValue: found } = calibrationTest(rankMoves(predictionsOf(people, shifted(shift))));
    assert.ok(found < LEVEL, `shifted by ${shift}: ${found}`);
  }
});

test("the oracle's log-probabilities are as high as it expects; those of a sharper one are not", () => {
  const tested = (sharpness: number) => {
    const logs: number[] = [];
    const moments = people.flatMap(({ career, occupations }) =>
      occupations.map((occupation, index) => {
        const powers = population.distributionAt(career, index).map((p) => p ** sharpness);
        const total = powers.reduce((sum, p) => sum + p, 0);
        const distribution = powers.map((p) => p / total);
        logs.push(Math.log(distribution[occupation]!));
        return logScoreMoments(distribution);
      }),
    );
    return logScoreTest(logs, moments);
  };
  const { statistic, pValue } = tested(1);
  assert.ok(pValue > LEVEL, `${statistic}`);
  const sharper = tested(1.2);
  assert.ok(sharper.pValue < LEVEL && sharper.statistic < 0, `${sharper.statistic}`);
  const flatter = tested(0.8);
  assert.ok(flatter.pValue < LEVEL && flatter.statistic > 0, `${flatter.statistic}`);
});

test("the divergence of a shifted oracle is the exact mean Kullback-Leibler divergence", () => {
  const q = shifted(0.8);
  let [exact, count] = [0, 0];
  for (const person of people) {
    person.occupations.forEach((_, index) => {
      const truth = population.distributionAt(person.career, index);
      const other = q(person, index);
      truth.forEach((p, y) => (exact += p > 0 ? p * Math.log(p / other[y]!) : 0));
      count++;
    });
  }
  const draws = resampleWeights(people.length);
  const figure = bootstrap(divergenceFrom(oracle).of(predictionsOf(people, q)), draws);
  const error = standardErrorOf(figure);
  assert.ok(
    Math.abs(figure.value - exact / count) < 3 * error,
    `${figure.value}, ${exact / count}`,
  );
  assert.ok(figure.value > 5 * error, `${figure.value} (${error}) must be told from zero`);
  const own = bootstrap(divergenceFrom(oracle).of(oracle), draws);
  assert.deepEqual([own.value, standardErrorOf(own)], [0, 0]);
});

test("logScoreMoments() and shiftOdds() by hand", () => {
  const { entropy, variance } = logScoreMoments([0.5, 0.25, 0.25, 0]);
  assert.ok(Math.abs(entropy - 1.5 * Math.LN2) < 1e-12);
  // Of log₂ p: 1 half of the time, 2 the other half.
  assert.ok(Math.abs(variance - 0.25 * Math.LN2 ** 2) < 1e-12);
  const even = shiftOdds(Float64Array.of(0.8, 0.15, 0.05), { outcome: 0, shift: -Math.log(4) });
  [0.5, 0.375, 0.125].forEach((p, i) => assert.ok(Math.abs(even[i]! - p) < 1e-12));
  const sure = Float64Array.of(1, 0);
  assert.deepEqual(shiftOdds(sure, { outcome: 0, shift: 3 }), sure);
});
