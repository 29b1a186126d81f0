import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  logLikelihoodByPerson,
  logLikelihoodMeasure,
  perplexityMeasure,
  topMeasure,
} from "../../model/evaluation/measures.ts";
import { collectPredictions, predictionsOf } from "../../model/evaluation/predictions.ts";
import { evaluate, KINDS, perplexity } from "../../model/occupation/metrics.ts";
import { closedForm } from "../../model/occupation/occupation_model.ts";
import { personOf } from "../occupation/people.ts";
import { madePredictions } from "./made_predictions.ts";

/** Sums of f64 logarithms. */
const TOLERANCE = 1e-12;

const OBSERVATION = fc.record({
  kind: fc.constantFrom(...KINDS),
  normalized: fc.double({ min: -20, max: 0, noNaN: true }),
  raw: fc.double({ min: -20, max: 0, noNaN: true }),
  rank: fc.integer({ min: 0, max: 12 }),
});
const PEOPLE = fc.array(fc.array(OBSERVATION, { maxLength: 5 }), { minLength: 1, maxLength: 8 });

function assertClose(actual: number, expected: number): void {
  if (Number.isNaN(expected)) return assert.ok(Number.isNaN(actual), `${actual}, not NaN`);
  const tolerance = TOLERANCE * Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, not ${expected}`);
}

test("perplexities of a toy by hand: all, first, staying, moving, as the paper", () => {
  const logs = (...probabilities: number[]) => probabilities.map(Math.log);
  const [a, b] = [logs(1 / 2, 1 / 4, 1 / 8), logs(1 / 16, 1 / 2)];
  const kinds = ["first", "staying", "moving"] as const;
  const predictions = madePredictions([
    a.map((normalized, i) => ({ normalized, kind: kinds[i]!, raw: Math.log(1 / 3) })),
    b.map((normalized, i) => ({ normalized, kind: kinds[2 * i]!, raw: Math.log(1 / 3) })),
  ]);
  const of = (options: Parameters<typeof perplexityMeasure>[0]) =>
    perplexityMeasure(options).of(predictions)();
  assertClose(of({}), 2 ** ((1 + 2 + 3 + 4 + 1) / 5));
  assertClose(of({ kind: "first" }), 2 ** ((1 + 4) / 2));
  assertClose(of({ kind: "staying" }), 4);
  assertClose(of({ kind: "moving" }), 2 ** ((3 + 1) / 2));
  assertClose(of({ variant: "raw" }), 3);
});

test("figures under weights are those of people copied so often", () => {
  fc.assert(
    fc.property(PEOPLE, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 8 }), (people, w) => {
      const weights = Float64Array.from(people, (_, p) => w[p]!);
      const copies = people.flatMap((person, p) => Array.from({ length: w[p]! }, () => person));
      for (const measure of [
        perplexityMeasure(),
        perplexityMeasure({ kind: "moving", variant: "raw" }),
        topMeasure(3),
        logLikelihoodMeasure(),
      ]) {
        const weighted = measure.of(madePredictions(people))(weights);
        assertClose(weighted, measure.of(madePredictions(copies))());
      }
    }),
    { numRuns: 100, seed: 4 },
  );
});

test("people of weight zero do not matter, even with impossible occupations", () => {
  const predictions = madePredictions([
    [{ normalized: -Infinity, kind: "staying" }],
    [{ normalized: -1, kind: "staying" }],
  ]);
  for (const measure of [perplexityMeasure(), perplexityMeasure({ kind: "staying" })]) {
    assert.equal(measure.of(predictions)(), Infinity);
    assertClose(measure.of(predictions)(Float64Array.of(0, 2)), Math.E);
  }
  assertClose(logLikelihoodMeasure().of(predictions)(Float64Array.of(0, 2)), -1);
});

test("top-k accuracy is that of sorting every distribution", () => {
  // Different odds for all, so that the order is one.
  const oddsAt = (index: number) =>
    Float64Array.from({ length: 9 }, (_, y) => 1 + ((y * 5 + index * 7) % 9));
  const people = [personOf([0, 3, 3, 8, 1]), personOf([5, 2]), personOf([7, 7, 4])];
  const predictions = predictionsOf(people, (_, index) => oddsAt(index).map((odds) => odds / 45));
  for (const k of [1, 2, 5, 9]) {
    const hits = people.flatMap(({ occupations }) =>
      occupations.map((occupation, index) => {
        const odds = oddsAt(index);
        const order = [...odds.keys()].toSorted((a, b) => odds[b]! - odds[a]!);
        return order.slice(0, k).includes(occupation) ? 1 : 0;
      }),
    );
    const expected = hits.reduce((sum: number, hit) => sum + hit, 0) / hits.length;
    assertClose(topMeasure(k).of(predictions)(), expected);
  }
});

test("predictionsOf() and collectPredictions() agree with each other and with evaluate()", async () => {
  const distribution = (index: number) =>
    Float64Array.of(0.5, 0.2, 0.3).map((p) => (p + index / 10) / (1 + (3 * index) / 10));
  const people = [personOf([0, 0, 1]), personOf([2]), personOf([1, 0, 0, 2])];
  const model = closedForm({
    name: "a model",
    numOccupations: 3,
    distribution: (_, index) => distribution(index),
  });
  const collected = await collectPredictions(model, people);
  assert.deepEqual(
    predictionsOf(people, (_, index) => distribution(index)),
    collected,
  );
  const evaluation = await evaluate(model, people);
  for (const kind of ["all", ...KINDS] as const) {
    assertClose(perplexityMeasure({ kind }).of(collected)(), perplexity(evaluation, { kind }));
  }
  const byPerson = logLikelihoodByPerson(collected);
  people.forEach(({ occupations }, p) => {
    const expected = occupations.reduce((sum, y, i) => sum + Math.log(distribution(i)[y]!), 0);
    assertClose(byPerson[p]!, expected);
  });
});
