import assert from "node:assert/strict";
import { test } from "node:test";
import { predictionsOfParquet, predictionsToParquet } from "../../cli/study/predictions_file.ts";
import { countedPerson } from "../../cli/study/families/empirical.ts";
import { NUM_OCCUPATIONS } from "../../data/mod.ts";
import { syntheticPopulation } from "../../data/synthetic/mod.ts";
import { collectPredictions } from "../../model/evaluation/predictions.ts";
import { backOff } from "../../model/occupation/empirical.ts";

const people = syntheticPopulation("survey").generate(20, { seed: 1 }).map(countedPerson);

test("predictions survive a file with all their bits", async () => {
  const model = backOff(people.slice(10), NUM_OCCUPATIONS);
  const before = await collectPredictions(model, people.slice(0, 10));
  const after = await predictionsOfParquet(predictionsToParquet(before), "a.parquet");
  assert.deepEqual(after, before);
  assert.ok(Number.isNaN(after.stay[0]!), "a first observation has no probability of staying");
});

test("a file that is none is refused by name", async () => {
  await assert.rejects(
    predictionsOfParquet(new TextEncoder().encode("PAR1 nothing PAR1"), "a.parquet"),
    /^SyntaxError: Cannot read "a\.parquet": it must be a Parquet file/,
  );
});
