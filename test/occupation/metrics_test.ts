import assert from "node:assert/strict";
import { test } from "node:test";
import { pairedDifference, standardError } from "../../model/occupation/bootstrap.ts";
import { countOf, evaluate, perplexity } from "../../model/occupation/metrics.ts";
import { closedForm, type OccupationModel } from "../../model/occupation/occupation_model.ts";
import { perplexityTable } from "../../model/occupation/table.ts";
import { alignTable } from "../../model/occupation/text_table.ts";
import { personOf } from "./people.ts";

/** Sums of f64 logarithms. */
const TOLERANCE = 1e-12;

/** First observations are certain; staying has probability 1/2, each of two moves 1/4. */
const MODEL = closedForm({
  name: "half stays",
  numOccupations: 3,
  distribution: ({ occupations }, index) =>
    index === 0
      ? new Float64Array(3).map((_, y) => (y === occupations[0] ? 1 : 0))
      : new Float64Array(3).map((_, y) => (y === occupations[index - 1] ? 1 / 2 : 1 / 4)),
  rawProbability: () => 1 / 2,
});
const UNIFORM = closedForm({
  name: "uniform",
  numOccupations: 3,
  distribution: () => new Float64Array(3).fill(1 / 3),
});
const PEOPLE = [personOf([0, 0, 1]), personOf([2]), personOf([1, 0, 0, 0])];

function assertClose(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < TOLERANCE, `${actual}, not ${expected}`);
}

test("perplexity() divides first, staying and moving observations as the paper does", async () => {
  const evaluation = await evaluate(MODEL, PEOPLE);
  assert.deepEqual(
    (["all", "first", "staying", "moving"] as const).map((kind) => countOf(evaluation, kind)),
    [8, 3, 3, 2],
  );
  assertClose(perplexity(evaluation, { kind: "first" }), 1);
  assertClose(perplexity(evaluation, { kind: "staying" }), 2);
  assertClose(perplexity(evaluation, { kind: "moving" }), 4);
  assertClose(perplexity(evaluation), 2 ** ((3 * 1 + 2 * 2) / 8));
  assertClose(perplexity(evaluation, { variant: "raw" }), 2);
});

test("perplexity() of a uniform model is the size of the vocabulary", async () => {
  assertClose(perplexity(await evaluate(UNIFORM, PEOPLE)), 3);
});

test("perplexity() without such observations is NaN, and the table shows a dash", async () => {
  const evaluation = await evaluate(MODEL, [personOf([1])]);
  assert.ok(Number.isNaN(perplexity(evaluation, { kind: "moving" })));
  assert.match(perplexityTable([evaluation]), /half stays .* +- \| +- \|/);
});

test("evaluate() of an impossible occupation has infinite perplexity", async () => {
  const sure = closedForm({
    name: "sure",
    numOccupations: 3,
    distribution: () => Float64Array.of(1, 0, 0),
  });
  const evaluation = await evaluate(sure, PEOPLE);
  assert.equal(perplexity(evaluation), Infinity);
  assert.match(perplexityTable([evaluation]), /∞/);
});

test("evaluate() refuses a model that skips an observation or a person", async () => {
  const short: OccupationModel = {
    ...MODEL,
    async *score() {
      const two = new Float64Array(2);
      yield { raw: two, normalized: two, stay: two, rank: new Uint16Array(2) };
    },
  };
  await assert.rejects(evaluate(short, PEOPLE), {
    name: "RangeError",
    message:
      'Cannot evaluate "half stays": the scores of person 0 must be [3], ' +
      "got [2] raw and [2] normalized",
  });
  const nobody: OccupationModel = { ...MODEL, async *score() {} };
  await assert.rejects(evaluate(nobody, PEOPLE), {
    message: 'Cannot evaluate "half stays": it must score 3 people, got 0',
  });
});

test("standardError() is zero for equal people, seeded, and near the theory for a mean", async () => {
  const equal = await evaluate(UNIFORM, PEOPLE);
  assert.ok(standardError(equal) < TOLERANCE);

  // 400 people of two observations each: half stay (1/2), half move (1/4).
  const people = Array.from({ length: 400 }, (_, i) => personOf([0, i % 2], `${i}`));
  const evaluation = await evaluate(MODEL, people);
  const error = standardError(evaluation, { kind: "all", replications: 2000 });
  // log-perplexity is the mean of (log 2 or log 4) / 2 over people: s.d. log 2 / 4 / √400.
  const expected = perplexity(evaluation) * (Math.LN2 / 4 / 20);
  assert.ok(Math.abs(error / expected - 1) < 0.08, `${error}, not about ${expected}`);
  assert.equal(error, standardError(evaluation, { replications: 2000, seed: 1 }));
  assert.notEqual(error, standardError(evaluation, { replications: 2000, seed: 2 }));
});

test("pairedDifference() draws the same people for both models", async () => {
  const evaluation = await evaluate(MODEL, PEOPLE);
  assert.deepEqual(pairedDifference(evaluation, evaluation), { difference: 0, standardError: 0 });
  const { difference } = pairedDifference(await evaluate(UNIFORM, PEOPLE), evaluation);
  assertClose(difference, 3 - 2 ** (7 / 8));
  const others = await evaluate(MODEL, PEOPLE.slice(1));
  assert.throws(() => pairedDifference(evaluation, others), /same observations/);
});

test("perplexityTable() aligns its columns and counts observations", async () => {
  const table = perplexityTable([await evaluate(MODEL, PEOPLE), await evaluate(UNIFORM, PEOPLE)]);
  const lines = table.split("\n");
  assert.equal(new Set(lines.map((line) => line.length)).size, 1);
  assert.match(
    lines[2]!,
    /^\| half stays +\| +1\.834 \(0\.\d{3}\) \| 1\.000 \| +2\.000 \| +4\.000 \| +2\.000 \|$/,
  );
  assert.match(lines.at(-1)!, /^\| observations +\| +8 \| +3 \| +3 \| +2 \| +8 \|$/);
  assert.throws(() => perplexityTable([]), RangeError);
});

test("alignTable() pads the first column to the right and the others to the left", () => {
  assert.equal(
    alignTable([
      ["a", "count"],
      ["bcd", "7"],
    ]),
    "| a   | count |\n|-----|------:|\n| bcd |     7 |",
  );
});
