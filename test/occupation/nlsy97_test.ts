import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { NUM_OCCUPATIONS, occupationIndex } from "../../data/occupations.ts";
import { readCareers } from "../../data/read_careers.ts";
import { splitCareers } from "../../data/split.ts";
import type { Career } from "../../data/career.ts";
import { backOff, transitionFrequencies, unigram } from "../../model/occupation/empirical.ts";
import { countOf, evaluate, perplexity } from "../../model/occupation/metrics.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { perplexityTable } from "../../model/occupation/table.ts";

const FILE = new URL("../../../shared/data/nlsy97.tsv.gz", import.meta.url);
const missing = existsSync(FILE)
  ? false
  : "needs the careers of NLSY97 in ../shared/data/nlsy97.tsv.gz, which is absent";

async function readPeople(): Promise<Career[]> {
  const bytes = new Blob([await readFile(FILE)]).stream();
  const lines = bytes.pipeThrough(new DecompressionStream("gzip"));
  const careers: Career[] = [];
  for await (const career of readCareers(lines, { format: "tsv", file: "nlsy97.tsv.gz" })) {
    careers.push(career);
  }
  return careers;
}

function personOf(career: Career): Person {
  return {
    career,
    occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
  };
}

test("empirical models have the known perplexities on NLSY97", { skip: missing }, async (t) => {
  const { train, test: held } = splitCareers(await readPeople(), { seed: 1 });
  const [trainPeople, testPeople] = [train.map(personOf), held.map(personOf)];
  assert.deepEqual([trainPeople.length, testPeople.length], [5613, 1605]);
  const evaluations = [];
  for (const model of [
    unigram(trainPeople, NUM_OCCUPATIONS),
    transitionFrequencies(trainPeople, NUM_OCCUPATIONS),
    backOff(trainPeople, NUM_OCCUPATIONS),
    backOff(trainPeople, NUM_OCCUPATIONS, { lower: "continuations" }),
  ]) {
    evaluations.push(await evaluate(model, testPeople));
  }
  for (const line of perplexityTable(evaluations).split("\n")) t.diagnostic(line);
  const [single, addOne, discounted, continued] = evaluations;
  const between = (value: number, low: number, high: number) =>
    assert.ok(value > low && value < high, `${value} is not between ${low} and ${high}`);

  // Other splits by person give 37.3, 9.07 and 7.5 to 7.7.
  between(perplexity(single!), 35, 40);
  between(perplexity(addOne!), 8.6, 9.5);
  between(perplexity(discounted!), 7.3, 8.1);
  between(perplexity(discounted!, { kind: "staying" }), 1.5, 1.7);
  between(perplexity(discounted!, { kind: "moving" }), 160, 205);
  assert.ok(perplexity(continued!) < perplexity(discounted!));
  // As printed, the frequencies sum above one, so they flatter the model.
  assert.ok(perplexity(addOne!, { variant: "raw" }) < perplexity(addOne!));
  assert.equal(countOf(addOne!, "first"), testPeople.length);
});
