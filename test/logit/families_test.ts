import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { bagOfJobsFamily } from "../../cli/study/families/bag_of_jobs.ts";
import { embeddingLogitFamily } from "../../cli/study/families/embedding_logit.ts";
import { empiricalFamily } from "../../cli/study/families/empirical.ts";
import { logitFamily } from "../../cli/study/families/logit.ts";
import type { Family } from "../../cli/study/family.ts";
import { type Career, syntheticPopulation } from "../../data/mod.ts";
import { collectPredictions } from "../../model/evaluation/predictions.ts";
import { silentProgress, temporaryFolder } from "../cli/run_support.ts";
import { missing } from "../pretrained/stories.ts";

const drawn: Career[] = syntheticPopulation("survey")
  .generate(130, { seed: 4 })
  .map(({ id, gender, ethnicity, birthYear, observations }) => ({
    id,
    gender,
    ethnicity,
    ...(birthYear !== undefined && { birthYear }),
    observations,
  }));
const cohort = { train: drawn.slice(0, 80), valid: drawn.slice(80, 100) };
const people = drawn.slice(100, 108);

const FIXTURES = fileURLToPath(new URL("../../../shared/fixtures/", import.meta.url));

function taskOf(family: Family, settings: object) {
  return {
    name: family.name,
    spec: family.schema.parse(settings),
    folder: temporaryFolder(),
    cohort,
    studyFolder: FIXTURES,
    progress: silentProgress(),
    device: { tuning: "off" },
    signal: new AbortController().signal,
    seed: 1,
  };
}

async function perplexityOf(family: Family, task: ReturnType<typeof taskOf>): Promise<number> {
  const { model, person, close } = await family.open(task);
  const { normalized } = await collectPredictions(model, people.map(person));
  await close();
  return Math.exp(-normalized.reduce((a, b) => a + b, 0) / normalized.length);
}

/** Frequencies whatever came before: what every model must beat. */
async function unigramPerplexity(): Promise<number> {
  const family = empiricalFamily as unknown as Family;
  return perplexityOf(family, taskOf(family, { smoothing: "unigram" }));
}

const QUICK = { max_iterations: 15, penalties: [2] };

for (const [family, settings, skip] of [
  [logitFamily, QUICK, false],
  [bagOfJobsFamily, { d_model: 16, epochs: 8, batch_size: 128, learning_rate: 0.01 }, false],
  [
    embeddingLogitFamily,
    {
      model: "stories260K/stories260K.bin",
      last_rows: 1,
      people: 25,
      valid_people: 4,
      components: [8, 20],
      ...QUICK,
      penalties: [30],
    },
    missing,
  ],
] as unknown as [Family, object, string | false][]) {
  test(
    `the family ${family.name} fits, beats frequencies, and is opened from its files alone`,
    { skip },
    async () => {
      const task = taskOf(family, settings);
      const report = await family.fit(task);
      assert.ok(report.numParameters! > 335);
      const asked = settings as { readonly people?: number };
      assert.equal(report.learnedFrom?.numPeople, asked.people);
      const perplexity = await perplexityOf(family, task);
      const counts = await unigramPerplexity();
      assert.ok(perplexity < counts, `${perplexity} must be below ${counts}`);
      const weights = join(task.folder, "model", "model.safetensors");
      const bytes = await readFile(weights);
      assert.deepEqual(await family.fit(task), report, "a finished fit is not fitted again");
      assert.deepEqual(await readFile(weights), bytes);
      const damaged = Uint8Array.from(bytes);
      damaged.fill(0xff, damaged.length - 4);
      await writeFile(weights, damaged);
      await assert.rejects(family.open(task), /must be finite|SHA-256|damaged/);
    },
  );
}

test("an embedding logit may learn its language model from the same people", async () => {
  const family = embeddingLogitFamily as unknown as Family;
  const training = { max_steps: 4, batch_tokens: 512 };
  const task = taskOf(family, {
    language_model: { d_model: 16, d_hidden: 32, num_blocks: 1, num_heads: 2, training },
    components: [4],
    people: 10,
    valid_people: 4,
    ...QUICK,
  });
  const { details } = await family.fit(task);
  assert.equal(details?.["components"], 4);
  assert.ok((await perplexityOf(family, task)) < 335);
});

test("an embedding logit must name one language model", () => {
  for (const settings of [{}, { model: "x", language_model: {} }]) {
    const { error } = embeddingLogitFamily.schema.safeParse(settings);
    assert.match(error!.message, /either model or language_model must be given, and not both/);
  }
});

test("a stopped fit leaves nothing that looks finished, and can be made again", async () => {
  const task = taskOf(logitFamily, QUICK);
  const stopped = { ...task, signal: AbortSignal.abort(new Error("enough")) };
  await assert.rejects(logitFamily.fit(stopped as never), /enough/);
  const { details } = await logitFamily.fit(task as never);
  assert.equal(details?.["penalty"], 2);
});
