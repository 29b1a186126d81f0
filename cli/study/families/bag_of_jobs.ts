import { join } from "node:path";
import { z } from "zod";
import { NUM_OCCUPATIONS } from "../../../data/mod.ts";
import { BAG_COVARIATES, DEFAULT_BAG_COVARIATES } from "../../../model/bag_of_jobs/bag_features.ts";
import { bagFiles, readBag } from "../../../model/bag_of_jobs/bag_files.ts";
import { bagOfJobs } from "../../../model/bag_of_jobs/bag_model.ts";
import { fitBag } from "../../../model/bag_of_jobs/fit_bag.ts";
import { fileOf } from "../../../model/checkpoint/exported_file.ts";
import { encodeJson } from "../../../model/checkpoint/strict_json.ts";
import type { TrainerEvent } from "../../../model/train/trainer.ts";
import { isCheckpointFolder, saveCheckpoint } from "../../platform/checkpoints.ts";
import { folderFiles, withPath } from "../../platform/file_source.ts";
import { withDevice } from "../../run/device.ts";
import { formatDuration } from "../../run/progress.ts";
import type { Family, FitReport, FitTask } from "../family.ts";
import { countedPerson } from "./empirical.ts";
import { FIT_FILE, readFit } from "./fit_file.ts";
import { FITTED_FOLDER } from "./logit.ts";

const SCHEMA = z.strictObject({
  /** Width of embeddings. */
  d_model: z.int().min(1).default(1024),
  /** Besides the last job and the earlier ones. */
  covariates: z.array(z.enum(BAG_COVARIATES)).default([...DEFAULT_BAG_COVARIATES]),
  /** Most passes over the people; validation may end a fit before. */
  epochs: z.int().min(1).default(20),
  /** Observations of a step. */
  batch_size: z.int().min(1).default(1024),
  learning_rate: z.number().positive().default(1e-3),
  weight_decay: z.number().min(0).default(0.01),
  /** Epochs without a better validation after which a fit ends. */
  patience: z.int().min(1).default(2),
});

type Task = FitTask<z.output<typeof SCHEMA>>;

/** Bag of jobs. An interrupted fit begins anew: it takes minutes. Opened, it needs no device. */
export const bagOfJobsFamily: Family<typeof SCHEMA> = {
  name: "bag-of-jobs",
  schema: SCHEMA,
  canPretrain: false,
  async fit(task) {
    const path = join(task.folder, FITTED_FOLDER);
    if (await isCheckpointFolder(path)) return readFit(path);
    return fit(task);
  },
  async open({ folder, name }) {
    const path = join(folder, FITTED_FOLDER);
    const weights = await withPath(path, () => readBag(folderFiles(path)));
    return { model: bagOfJobs(weights, { name }), person: countedPerson, close() {} };
  },
};

async function fit(task: Task): Promise<FitReport> {
  const { spec, cohort, folder, seed, signal } = task;
  const people = {
    train: cohort.train.map(countedPerson),
    valid: cohort.valid.map(countedPerson),
  };
  const { weights, curve, bestStep } = await withDevice(
    "auto",
    (gpu) =>
      fitBag(gpu, people, {
        numOccupations: NUM_OCCUPATIONS,
        dModel: spec.d_model,
        covariates: spec.covariates,
        epochs: spec.epochs,
        batchSize: spec.batch_size,
        learningRate: spec.learning_rate,
        weightDecay: spec.weight_decay,
        patience: spec.patience,
        seed,
        signal,
        onEvent: teller(task),
      }),
    task.device,
  );
  task.progress.clear();
  const report = {
    numParameters: weights.embedding.length + weights.output.length,
    curve: [...curve],
    details: { best_step: bestStep },
  };
  const file = fileOf(FIT_FILE, encodeJson(report, FIT_FILE));
  await saveCheckpoint(folder, FITTED_FOLDER, [...bagFiles(weights), file]);
  return report;
}

/** Tells of steps: loss, rate, validation, time left. */
function teller({ name, progress }: Task): (event: TrainerEvent, maxSteps: number) => void {
  const begin = performance.now();
  let held = "";
  return (event, maxSteps) => {
    if (event.type === "validation") held = ` · perplexity ${Math.exp(event.loss).toFixed(3)}`;
    if (event.type !== "step") return;
    progress.update(() => {
      const left = ((performance.now() - begin) / event.step) * (maxSteps - event.step);
      const rate = Math.round((1000 * event.numTokens) / event.ms).toLocaleString("en");
      return `${name}: step ${event.step}/${maxSteps} · loss ${event.loss.toFixed(3)} · ${rate} person-years/s${held} · at most ${formatDuration(left)} left`;
    });
  };
}
