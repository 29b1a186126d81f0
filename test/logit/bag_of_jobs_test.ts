import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Features } from "../../model/logit/covariates.ts";
import { BagFeatures } from "../../model/bag_of_jobs/bag_features.ts";
import { bagFiles, readBag } from "../../model/bag_of_jobs/bag_files.ts";
import { bagOfJobs } from "../../model/bag_of_jobs/bag_model.ts";
import { fitBag } from "../../model/bag_of_jobs/fit_bag.ts";
import { unigram } from "../../model/occupation/empirical.ts";
import { evaluate, perplexity } from "../../model/occupation/metrics.ts";
import { assertClose, openGpu } from "../support.ts";
import { collectFiles } from "./collect_files.ts";
import { peopleOf } from "./people.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const NUM_OCCUPATIONS = 5;
const sizes = { numOccupations: NUM_OCCUPATIONS };
const train = peopleOf({ ...sizes, numPeople: 150, seed: 1 });
const valid = peopleOf({ ...sizes, numPeople: 80, seed: 2 });
const options = {
  ...sizes,
  dModel: 12,
  epochs: 15,
  batchSize: 64,
  learningRate: 1e-2,
  weightDecay: 0.01,
  patience: 4,
  seed: 3,
};
const fitted = await fitBag(gpu, { train, valid }, options);

test("a bag of jobs sees the last job, and the mean of those before it", async () => {
  const { space, dModel, embedding, output } = fitted.weights;
  const features = new Features(space);
  const bag = new BagFeatures(space);
  const model = bagOfJobs(fitted.weights);
  for (const person of valid.slice(0, 4)) {
    for (let index = 0; index < person.occupations.length; index++) {
      const x = new Float64Array(dModel);
      const add = (feature: number, share: number) =>
        x.forEach((_, i) => (x[i]! += share * embedding[feature * dModel + i]!));
      for (const feature of features.at(person, index)) add(feature, 1);
      const earlier = person.occupations.slice(0, Math.max(0, index - 1));
      for (const job of earlier) add(features.numFeatures + job, 1 / earlier.length);
      const odds = Float64Array.from({ length: NUM_OCCUPATIONS }, (_, y) =>
        Math.exp(x.reduce((sum, value, i) => sum + value * output[y * dModel + i]!, 0)),
      );
      const total = odds.reduce((a, b) => a + b, 0);
      const p = await model.distribution(person, index);
      assertClose(
        p,
        odds.map((odd) => odd / total),
        { what: "p", rtol: 1e-9, atol: 0 },
      );
    }
  }
  assert.equal(bag.rows(valid).targets.length, bag.rows(valid).sparse.starts.length - 1);
});

test("a bag of jobs beats the unigram, and keeps the weights of its best validation", async () => {
  const bag = perplexity(await evaluate(bagOfJobs(fitted.weights), valid));
  const counts = perplexity(await evaluate(unigram(train, NUM_OCCUPATIONS), valid));
  assert.ok(bag < 0.9 * counts, `${bag} must be well below ${counts}`);
  const best = Math.min(...fitted.curve.map(({ perplexity: at }) => at));
  assert.equal(fitted.curve.find(({ step }) => step === fitted.bestStep)?.perplexity, best);
  // The trainer's validation is in f32, the model in f64.
  assertClose([bag], [best], { what: "perplexity", rtol: 1e-4, atol: 0 });
});

test("a bag of jobs is the same in every bit when it is fitted again", async () => {
  assert.deepEqual(await fitBag(gpu, { train, valid }, options), fitted);
});

test("a bag of jobs is read back as it was written, and strictly", async () => {
  const files = await collectFiles(bagFiles(fitted.weights));
  assert.deepEqual(await readBag(files), fitted.weights);
  const wrong = files.with("config.json", (text) => text.replace('"dModel": 12', '"dModel": 13'));
  await assert.rejects(readBag(wrong), /must have shape/);
});
