import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Career } from "../../../data/mod.ts";
import type { Gpu } from "../../../engine/gpu.ts";
import { careerObjective } from "../../../model/career/career_model.ts";
import { careerFiles, readCareerModel } from "../../../model/career/checkpoint.ts";
import { covariatesOf } from "../../../model/career/covariates.ts";
import { type CareerBatch, packPeople, PersonYearBatches } from "../../../model/career/pack.ts";
import { type PersonYears, personYears } from "../../../model/career/person_years.ts";
import { careerFromBase, type CareerParts } from "../../../model/career/transfer.ts";
import { fileOf } from "../../../model/checkpoint/exported_file.ts";
import { encodeJson } from "../../../model/checkpoint/strict_json.ts";
import { Trainer, type TrainerOptions } from "../../../model/train/trainer.ts";
import { isCheckpointFolder, saveCheckpoint } from "../../platform/checkpoints.ts";
import { folderFiles, withPath } from "../../platform/file_source.ts";
import { withDevice } from "../../run/device.ts";
import type { FitReport, FitTask } from "../family.ts";
import { careerConfigOf, careerFolderOf, type CareerSpec } from "./career_spec.ts";
import { CareerRun } from "./career_run.ts";
import { FIT_FILE, readFit } from "./fit_file.ts";
import { countedPerson } from "./empirical.ts";

type Task = FitTask<CareerSpec>;

/** Person-years of a row at least: short careers share rows. */
const MIN_SEQ_LEN = 64;

/** Fits a model, or goes on where an earlier call was interrupted; a finished one is reported. */
export async function fitCareer(task: Task): Promise<FitReport> {
  const path = careerFolderOf(task);
  if (await isCheckpointFolder(path)) return readFit(path);
  const report = await withDevice("auto", (gpu) => fitOn(gpu, task), task.device);
  // The model is in its place: what it takes to go on is of no use any more.
  await rm(runFolderOf(task), { recursive: true, force: true });
  return report;
}

async function fitOn(gpu: Gpu, task: Task): Promise<FitReport> {
  const run = await CareerRun.open(gpu, runFolderOf(task), () => partsOf(task));
  const { model } = run;
  const encode = (careers: readonly Career[]) =>
    careers.map((career) => personYears(countedPerson(career), model.vocabulary, model.config));
  const people = { train: encode(task.cohort.train), valid: encode(task.cohort.valid) };
  const sizes = sizesOf(people, task.spec);
  const batches = new PersonYearBatches(people.train, { ...sizes, seed: task.seed });
  const options = optionsOf(task, { ...sizes, numBatches: batches.numBatches(0) });
  const trainer = new Trainer<CareerBatch>(gpu, careerObjective(model), options, run.state);
  const held = [...packPeople(people.valid, sizes)].map(({ batch }) => batch);
  const { curve, steps } = await run.train(trainer, {
    batches,
    valid: () => held,
    numValid: countOf(people.valid),
    numTrain: countOf(people.train),
    options,
    task,
  });
  const { best } = trainer.state;
  const report = {
    numParameters: model.numParameters,
    curve,
    details: { steps, ...(best !== undefined && { best_step: best.step }) },
  };
  const fit = fileOf(FIT_FILE, encodeJson(report, FIT_FILE));
  const files = careerFiles(await run.bestParts(trainer));
  await saveCheckpoint(task.folder, "model", [...files, fit]);
  return report;
}

/** Where a fit keeps what it takes to go on. */
function runFolderOf({ folder }: Pick<Task, "folder">): string {
  return join(folder, "run");
}

/** A model to begin with: new, or the one that was fitted on other people. */
async function partsOf(
  task: Task,
): Promise<Omit<CareerParts, "values"> & Partial<CareerParts> & { readonly seed: number }> {
  const { spec, cohort, base, seed } = task;
  const config = careerConfigOf(spec);
  const vocabulary = covariatesOf(cohort.train, config);
  if (base === undefined) return { config, vocabulary, seed };
  const path = careerFolderOf(base);
  const stored = await withPath(path, () => readCareerModel(folderFiles(path)));
  return { ...careerFromBase(stored, vocabulary, config), seed };
}

/** Rows that hold the longest career, and as many as are computed at a time. */
function sizesOf(
  {
    train,
    valid,
  }: { readonly train: readonly PersonYears[]; readonly valid: readonly PersonYears[] },
  { batch_size: batchSize, micro_batch_size: microBatchSize }: CareerSpec,
): { readonly numRows: number; readonly seqLen: number; readonly accumulation: number } {
  const longest = [...train, ...valid].reduce(
    (most, { targets }) => Math.max(most, targets.length),
    1,
  );
  const seqLen = Math.max(MIN_SEQ_LEN, Math.ceil(longest / 16) * 16);
  const rowsOfEpoch = Math.ceil(countOf(train) / seqLen);
  const rowsOfStep = Math.min(Math.ceil(batchSize / seqLen), rowsOfEpoch);
  const numRows = Math.min(Math.max(1, Math.floor(microBatchSize / seqLen)), rowsOfStep);
  return { numRows, seqLen, accumulation: Math.round(rowsOfStep / numRows) };
}

function optionsOf(
  { spec, base, seed }: Task,
  sizes: {
    readonly numRows: number;
    readonly seqLen: number;
    readonly accumulation: number;
    readonly numBatches: number;
  },
): TrainerOptions & { readonly evalEvery: number } {
  const { numRows, seqLen, accumulation, numBatches } = sizes;
  const stepsOfEpoch = Math.max(1, Math.round(numBatches / accumulation));
  const maxSteps = spec.max_steps ?? Math.ceil((spec.epochs * numBatches) / accumulation);
  const usual = base === undefined ? { rate: 5e-4, warmup: 4000 } : { rate: 1e-4, warmup: 500 };
  return {
    numRows,
    seqLen,
    accumulation,
    seed,
    maxSteps,
    learningRate: spec.learning_rate ?? usual.rate,
    warmupSteps: spec.warmup_steps ?? Math.min(usual.warmup, Math.ceil(maxSteps / 10)),
    decay: spec.schedule,
    weightDecay: spec.weight_decay,
    beta1: spec.beta1,
    beta2: spec.beta2,
    maxGradNorm: spec.max_grad_norm,
    evalEvery: spec.eval_every || stepsOfEpoch,
    patience: spec.patience,
  };
}

function countOf(people: readonly PersonYears[]): number {
  return people.reduce((sum, { targets }) => sum + targets.length, 0);
}
