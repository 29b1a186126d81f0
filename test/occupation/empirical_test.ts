import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { backOff, transitionFrequencies, unigram } from "../../model/occupation/empirical.ts";
import type { OccupationModel } from "../../model/occupation/occupation_model.ts";
import { personOf } from "./people.ts";

/** Sums of a few hundred f64 terms. */
const TOLERANCE = 1e-12;

/** Transitions 0→0 twice, 0→1 once, 1→2 once; first occupations 0, 0, 1. */
const PEOPLE = [personOf([0, 0, 0, 1]), personOf([0]), personOf([1, 2])];

async function scoresOf(model: OccupationModel, occupations: readonly number[]) {
  for await (const { raw, normalized } of model.score([personOf(occupations)])) {
    return { raw: [...raw].map(Math.exp), normalized: [...normalized].map(Math.exp) };
  }
  throw new Error("the model scored nobody");
}

function assertClose(actual: readonly number[], expected: readonly number[]): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of actual.entries()) {
    assert.ok(Math.abs(value - expected[i]!) < TOLERANCE, `${i}: ${value}, not ${expected[i]}`);
  }
}

test("transitionFrequencies() scores (n(y→y′)+1)/(n(y)+1) raw and add-one normalized", async () => {
  const model = transitionFrequencies(PEOPLE, 4);
  const { raw, normalized } = await scoresOf(model, [0, 0, 1, 3]);
  assertClose(raw, [3 / 4, 3 / 4, 2 / 4, 1 / 2]);
  assertClose(normalized, [3 / 7, 3 / 7, 2 / 7, 1 / 5]);
});

test("transitionFrequencies() as printed sums above one", async () => {
  const model = transitionFrequencies(PEOPLE, 4);
  let sum = 0;
  for (const next of [0, 1, 2, 3]) sum += (await scoresOf(model, [0, next])).raw[1]!;
  assertClose([sum], [(3 + 4) / (3 + 1)]);
});

test("unigram() discounts the occupations of all observations", async () => {
  // Seen 4, 2, 1, 0 times of 7; three kinds give up 0.75 each, shared by four.
  const { normalized } = await scoresOf(unigram(PEOPLE, 4), [0, 1, 2, 3]);
  const shared = (0.75 * 3) / 4;
  assertClose(normalized, [
    (3.25 + shared) / 7,
    (1.25 + shared) / 7,
    (0.25 + shared) / 7,
    shared / 7,
  ]);
});

test("backOff() interpolates transitions with the unigram by hand", async () => {
  const model = backOff(PEOPLE, 4, { discount: 0.5 });
  const below = [0, 1, 2, 3].map((y) => (Math.max([4, 2, 1, 0][y]! - 0.5, 0) + 1.5 / 4) / 7);
  // First: 0 twice, 1 once of 3. After 0: 0 twice, 1 once of 3. After 1: 2 once. After 3: nothing.
  assertClose((await scoresOf(model, [0, 0])).normalized, [
    (1.5 + 1 * below[0]!) / 3,
    (1.5 + 1 * below[0]!) / 3,
  ]);
  assertClose((await scoresOf(model, [3, 2, 1])).normalized, [
    (1 * below[3]!) / 3,
    below[2]!,
    below[1]!,
  ]);
  assertClose((await scoresOf(model, [1, 2])).normalized, [
    (0.5 + 1 * below[1]!) / 3,
    0.5 + 0.5 * below[2]!,
  ]);
});

test("backOff() on continuations counts what an occupation followed, not how often", async () => {
  const model = backOff(PEOPLE, 4, { discount: 0.5, lower: "continuations" });
  // Followed by one kind each: 0 (after 0), 1 (after 0), 2 (after 1); 3 kinds of 3.
  const lower = (0.5 + 1.5 / 4) / 3;
  assertClose((await scoresOf(model, [2, 0])).normalized.slice(1), [lower]);
});

test("every empirical model's distributions sum to one and match its scores", async () => {
  const career = fc.array(fc.nat(7), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(career, { maxLength: 8 }),
      career,
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (training, occupations, discount) => {
        const people = training.map((each) => personOf(each));
        const person = personOf(occupations);
        for (const model of [
          transitionFrequencies(people, 8),
          unigram(people, 8),
          backOff(people, 8, { discount }),
          backOff(people, 8, { lower: "continuations" }),
        ]) {
          const { normalized } = await scoresOf(model, occupations);
          for (const [index, occupation] of occupations.entries()) {
            const distribution = await model.distribution(person, index);
            assertClose([distribution.reduce((sum, p) => sum + p, 0)], [1]);
            assertClose([normalized[index]!], [distribution[occupation]!]);
          }
        }
      },
    ),
    { numRuns: 50, seed: 1 },
  );
});

test("backOff() of a test career is the same whoever else is scored", async () => {
  const model = backOff(PEOPLE, 4);
  const together: number[] = [];
  for await (const { normalized } of model.score([personOf([2]), personOf([0, 1])])) {
    together.push(...normalized);
  }
  const alone = (await scoresOf(model, [0, 1])).normalized;
  assertClose(together.slice(1).map(Math.exp), alone);
});

test("empirical models refuse occupations outside the vocabulary and bad discounts", () => {
  assert.throws(() => backOff([personOf([0, 4], "p1")], 4), {
    name: "RangeError",
    message:
      'Cannot count career "p1": occupations must be indices below 4, got 4 at observation 1',
  });
  assert.throws(() => backOff(PEOPLE, 4, { discount: 1.5 }), {
    name: "RangeError",
    message: "Cannot back off: the discount must be between 0 and 1, got 1.5",
  });
});
