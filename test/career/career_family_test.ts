import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { careerFamily } from "../../cli/study/families/career.ts";
import { empiricalFamily } from "../../cli/study/families/empirical.ts";
import type { Cohort, FitTask, OpenedModel } from "../../cli/study/family.ts";
import type { Career } from "../../data/mod.ts";
import { type PopulationName, syntheticPopulation } from "../../data/synthetic/mod.ts";
import { collectPredictions } from "../../model/evaluation/predictions.ts";
import { silentProgress, temporaryFolder } from "../cli/run_support.ts";

type Spec = FitTask<ReturnType<typeof careerFamily.schema.parse>>["spec"];
type Task = FitTask<Spec>;

function people(name: PopulationName, numTrain: number, seed = 3): Cohort & { test: Career[] } {
  const drawn = syntheticPopulation(name).generate(numTrain + 240, { seed });
  return {
    train: drawn.slice(0, numTrain),
    valid: drawn.slice(numTrain, numTrain + 40),
    test: drawn.slice(numTrain + 40),
  };
}

const SMALL = {
  num_blocks: 1,
  d_model: 32,
  d_hidden: 64,
  num_heads: 2,
  batch_size: 512,
  micro_batch_size: 512,
  learning_rate: 0.006,
  schedule: "cosine",
};

function taskOf(cohort: Cohort, settings: object, changes: Partial<Task> = {}): Task {
  const folder = temporaryFolder();
  return {
    name: "career",
    spec: careerFamily.schema.parse({ ...SMALL, ...settings }),
    folder,
    cohort,
    studyFolder: folder,
    progress: silentProgress(),
    device: {},
    signal: new AbortController().signal,
    seed: 1,
    ...changes,
  };
}

async function perplexityOf(
  opened: Promise<OpenedModel>,
  careers: readonly Career[],
): Promise<number> {
  const { model, person, close } = await opened;
  const { normalized } = await collectPredictions(model, careers.map(person));
  await close();
  return Math.exp(-normalized.reduce((a, b) => a + b, 0) / normalized.length);
}

const bytesOf = ({ folder }: Task) => readFile(join(folder, "model", "model.safetensors"));

test("an interrupted fit goes on to the same bits, and a finished one is not fitted again", async () => {
  const cohort = people("survey", 60);
  const settings = { epochs: 4, dropout: 0.2, eval_every: 3, micro_batch_size: 128 };
  const whole = taskOf(cohort, settings);
  const report = await careerFamily.fit(whole);

  const controller = new AbortController();
  let numSteps = 0;
  const progress = silentProgress();
  progress.update = () => {
    if (++numSteps === 5) controller.abort();
  };
  const parts = taskOf(cohort, settings, { signal: controller.signal, progress });
  await assert.rejects(careerFamily.fit(parts), {
    name: "CliError",
    message: "Interrupted; the same command goes on from here",
  });
  assert.ok(existsSync(join(parts.folder, "run")) && !existsSync(join(parts.folder, "model")));
  const { signal } = new AbortController();
  assert.deepEqual(await careerFamily.fit({ ...parts, signal }), report);
  assert.deepEqual(await bytesOf(parts), await bytesOf(whole));
  assert.ok(!existsSync(join(parts.folder, "run")));

  // What is finished is reported, whatever there is to learn from.
  assert.deepEqual(await careerFamily.fit({ ...parts, cohort: { train: [], valid: [] } }), report);

  const other = taskOf(cohort, settings, { seed: 2 });
  await careerFamily.fit(other);
  assert.notDeepEqual(await bytesOf(other), await bytesOf(whole));
});

test("CAREER beats first-order counts, and the truth beats it", async () => {
  const cohort = people("survey", 400);
  const task = taskOf(cohort, { epochs: 8 });
  const report = await careerFamily.fit(task);
  assert.ok(report.curve!.length > 2 && (report.numParameters ?? 0) > 20_000);
  const counts = empiricalFamily.schema.parse({ smoothing: "back-off" });
  const counted = empiricalFamily.open({ ...task, spec: counts });
  const perplexities = {
    career: await perplexityOf(careerFamily.open(task), cohort.test),
    counts: await perplexityOf(counted, cohort.test),
  };
  const population = syntheticPopulation("survey");
  const logs = cohort.test.flatMap((career) => [...population.logProbabilities(career)]);
  const truth = Math.exp(-logs.reduce((a, b) => a + b, 0) / logs.length);
  const figures = JSON.stringify({ ...perplexities, truth });
  assert.ok(perplexities.career < perplexities.counts && truth < perplexities.career, figures);
});

test("pretraining on another population helps on few people, and keeps the best validation", async () => {
  const own = people("survey", 60);
  const others = people("large", 400);
  const alone = taskOf(own, { epochs: 20, patience: 3 });
  await careerFamily.fit(alone);
  const base = taskOf(others, { epochs: 5 });
  await careerFamily.fit(base);
  const tuned = taskOf(own, { epochs: 8, learning_rate: 0.002, patience: 3 }, { base });
  const report = await careerFamily.fit(tuned);
  const best = Math.min(...report.curve!.map(({ perplexity }) => perplexity));
  const kept = report.curve!.find(({ step }) => step === report.details!["best_step"]);
  assert.equal(kept!.perplexity, best);
  const figures = {
    tuned: await perplexityOf(careerFamily.open(tuned), own.test),
    alone: await perplexityOf(careerFamily.open(alone), own.test),
    base: await perplexityOf(careerFamily.open(base), own.test),
  };
  const ordered = figures.tuned < figures.alone && figures.tuned < figures.base;
  assert.ok(ordered, JSON.stringify(figures));
});
