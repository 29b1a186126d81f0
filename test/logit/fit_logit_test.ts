import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Education } from "../../data/mod.ts";
import { collectFiles } from "./collect_files.ts";
import { Features, featureSpace, tenureAt } from "../../model/logit/covariates.ts";
import { fitLogit } from "../../model/logit/fit_logit.ts";
import { logitFiles, readLogit } from "../../model/logit/logit_files.ts";
import { logitModel } from "../../model/logit/logit_model.ts";
import { unigram } from "../../model/occupation/empirical.ts";
import { evaluate, perplexity } from "../../model/occupation/metrics.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { assertClose, openGpu } from "../support.ts";
import { peopleOf } from "./people.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const NUM_OCCUPATIONS = 5;
const sizes = { numOccupations: NUM_OCCUPATIONS };
const train = peopleOf({ ...sizes, numPeople: 200, seed: 1 });
const valid = peopleOf({ ...sizes, numPeople: 100, seed: 2 });
const options = { ...sizes, penalties: [4, 1], limit: 10, tolerance: 1e-3 };
const fitted = await fitLogit(gpu, { train, valid }, options);

// Probabilities of a fit whose gradient is 1e-6 of the first; f32 sums of 1,500 rows.
const PROBABILITY = { rtol: 0, atol: 2e-4 };

/** A person of given occupations and years. */
function personOf(
  occupations: number[],
  years: number[],
  education: Education[] = occupations.map(() => "college"),
): Person {
  const observations = years.map((year, i) => ({
    year,
    education: education[i]!,
    occupation: "unemployed",
  }));
  const career = { id: "p", gender: "female", ethnicity: "white", observations };
  return { career, occupations };
}

test("features of an observation are those of its past, its year and its education", () => {
  const space = featureSpace(train, {
    ...sizes,
    covariates: [...fitted.weights.space.covariates, "age"],
  });
  const features = new Features(space);
  const person = personOf(
    [1, 3, 3, 0],
    [1990, 1991, 1992, 1996],
    ["high school", "high school", "high school", "college"],
  );
  const named = (index: number) => features.at(person, index).map((i) => features.names[i]);
  assert.deepEqual(named(0), [
    "intercept",
    "last=none",
    "previous=none",
    "year=1990",
    "education=high school",
    "gender=female",
    "ethnicity=white",
  ]);
  assert.deepEqual(named(2).slice(1, 5), ["last=3", "previous=1", "tenure=1", "observed=2"]);
  assert.deepEqual(named(3).slice(1, 6), [
    "last=3",
    "previous=3",
    "tenure=2",
    "observed=3",
    "year=1996",
  ]);
  assert.ok(!named(3).some((name) => name!.startsWith("gap")), "nobody learned of gaps of 4 years");
  // Nobody's education changed in training; a year beyond all is the last one known.
  const late = personOf([1, 3], [1990, 2030]);
  const lastYear = Math.max(...train.flatMap((p) => p.career.observations.map(({ year }) => year)));
  assert.ok(features.at(late, 1).some((i) => features.names[i] === `year=${lastYear}`));
  assert.equal(tenureAt([2, 2, 1, 2, 2, 2], 6), 3);
  assert.equal(tenureAt([2, 2], 2), 2);
});

test("features do not depend on what follows, nor on the occupation asked for", () => {
  const features = new Features(fitted.weights.space);
  const long = personOf([1, 3, 3, 0], [1990, 1991, 1992, 1994]);
  const short = personOf([1, 3, 4], [1990, 1991, 1992]);
  assert.deepEqual(features.at(long, 2), features.at(short, 2));
});

test("a logit beats the unigram on people it has not seen, and its probabilities sum to one", async () => {
  const model = logitModel(fitted.weights);
  const logit = perplexity(await evaluate(model, valid));
  const counts = perplexity(await evaluate(unigram(train, NUM_OCCUPATIONS), valid));
  assert.ok(logit < 0.85 * counts, `${logit} must be well below ${counts}`);
  assertClose([fitted.best.perplexity], [logit], { what: "perplexity", rtol: 1e-12, atol: 0 });
  for (const person of valid.slice(0, 5)) {
    for (let index = 0; index < person.occupations.length; index++) {
      const p = await model.distribution(person, index);
      assertClose([p.reduce((a, b) => a + b, 0)], [1], { what: "sum", rtol: 0, atol: 1e-12 });
    }
  }
  assert.equal(fitted.trials.length, 2);
  assert.equal(fitted.best.perplexity, Math.min(...fitted.trials.map((t) => t.perplexity)));
});

test("a Markov logit without penalty is the transition frequencies", async () => {
  const counts = Array.from(
    { length: NUM_OCCUPATIONS + 1 },
    () => new Float64Array(NUM_OCCUPATIONS),
  );
  for (const { occupations } of train) {
    occupations.forEach((to, i) => (counts[i === 0 ? 0 : 1 + occupations[i - 1]!]![to]! += 1));
  }
  assert.ok(
    counts.every((row) => row.every((count) => count > 0)),
    "all must have happened",
  );
  const { weights } = await fitLogit(
    gpu,
    { train, valid },
    {
      ...options,
      covariates: ["last"],
      penalties: [0],
      tolerance: 1e-6,
      limit: Infinity,
    },
  );
  const model = logitModel(weights);
  for (const [before, row] of counts.entries()) {
    const person = before === 0 ? personOf([0], [1990]) : personOf([before - 1, 0], [1990, 1991]);
    const total = row.reduce((a, b) => a + b, 0);
    const p = await model.distribution(person, person.occupations.length - 1);
    assertClose(
      p,
      row.map((count) => count / total),
      { what: `after ${before}`, ...PROBABILITY },
    );
  }
});

test("a logit clamps its logits", async () => {
  const { space, table } = fitted.weights;
  const model = logitModel({ space, table: table.map((value) => 1000 * value), limit: 0.5 });
  const p = await model.distribution(valid[0]!, 1);
  const [least, most] = [Math.min(...p), Math.max(...p)];
  assertClose([most / least], [Math.E], { what: "odds", rtol: 1e-9, atol: 0 });
});

test("a logit does not depend on the order of people, and a rerun has the same bits", async () => {
  const again = await fitLogit(gpu, { train, valid }, options);
  assert.deepEqual(again.weights, fitted.weights);
  const reversed = await fitLogit(gpu, { train: train.toReversed(), valid }, options);
  assert.deepEqual(reversed.weights.space, fitted.weights.space);
  // Sums in f32 in another order, over some 40 iterations.
  const [a, b] = [reversed.best.perplexity, fitted.best.perplexity];
  assertClose([a], [b], { what: "perplexity", rtol: 1e-3, atol: 0 });
});

test("a logit is read back as it was written, and strictly", async () => {
  const files = await collectFiles(logitFiles(fitted.weights));
  assert.deepEqual(await readLogit(files), fitted.weights);
  const unlimited = { ...fitted.weights, limit: Infinity };
  assert.deepEqual(await readLogit(await collectFiles(logitFiles(unlimited))), unlimited);
  const config = (change: (text: string) => string) => files.with("config.json", change);
  await assert.rejects(readLogit(config((text) => text.replace('"gap",', ""))), /categories/);
  await assert.rejects(
    readLogit(config((text) => text.replace("tenure-logit", "x"))),
    /model_type/,
  );
  await assert.rejects(
    readLogit(config((text) => text.replace('"numOccupations": 5', '"numOccupations": 6'))),
    /must have shape/,
  );
  await assert.rejects(readLogit(files.without("model.safetensors")), /there must be a file/);
});
