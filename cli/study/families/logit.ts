import { join } from "node:path";
import { z } from "zod";
import { NUM_OCCUPATIONS } from "../../../data/mod.ts";
import { fileOf } from "../../../model/checkpoint/exported_file.ts";
import { encodeJson } from "../../../model/checkpoint/strict_json.ts";
import { COVARIATES, DEFAULT_COVARIATES } from "../../../model/logit/covariates.ts";
import { fitLogit, type PenaltyTrial } from "../../../model/logit/fit_logit.ts";
import type { MinimizeProgress } from "../../../model/logit/lbfgs.ts";
import { logitFiles, readLogit } from "../../../model/logit/logit_files.ts";
import { logitModel } from "../../../model/logit/logit_model.ts";
import { isCheckpointFolder, saveCheckpoint } from "../../platform/checkpoints.ts";
import { folderFiles, withPath } from "../../platform/file_source.ts";
import { withDevice } from "../../run/device.ts";
import { formatDuration } from "../../run/progress.ts";
import type { Family, FitReport, FitTask } from "../family.ts";
import { countedPerson } from "./empirical.ts";
import { FIT_FILE, readFit } from "./fit_file.ts";

/** How a logit is penalized and fitted. */
export const PENALTY_SETTINGS = {
  /** L2 penalties, of which validation chooses one: precisions of a Gaussian prior. */
  penalties: z.array(z.number().min(0)).min(1).default([4, 2, 1, 0.5]),
  /** Logits are clamped to ±clamp, as in CAREER's code; null for no limit. */
  clamp: z.number().positive().nullable().default(10),
  /** Iterations of L-BFGS at most, for each penalty. */
  max_iterations: z.int().min(1).default(100),
  /** Share of the first gradient's norm at which a fit ends. */
  tolerance: z.number().positive().default(1e-3),
  /** Share of the loss that ten iterations must gain, or a fit ends. */
  value_tolerance: z.number().min(0).default(3e-4),
};

const SCHEMA = z.strictObject({
  /** What the model knows; `[last]` alone is a Markov model. */
  covariates: z.array(z.enum(COVARIATES)).default([...DEFAULT_COVARIATES]),
  ...PENALTY_SETTINGS,
});

/** Folder of the finished model, in that of the task. */
export const FITTED_FOLDER = "model";

/**
 * Multinomial logit on covariates. An interrupted fit begins anew: it takes minutes. Opened, it
 * needs no device.
 */
export const logitFamily: Family<typeof SCHEMA> = {
  name: "logit",
  schema: SCHEMA,
  canPretrain: false,
  async fit(task) {
    const path = join(task.folder, FITTED_FOLDER);
    if (await isCheckpointFolder(path)) return readFit(path);
    return fit(task);
  },
  async open({ folder, name }) {
    const path = join(folder, FITTED_FOLDER);
    const weights = await withPath(path, () => readLogit(folderFiles(path)));
    return { model: logitModel(weights, { name }), person: countedPerson, close() {} };
  },
};

async function fit(task: FitTask<z.output<typeof SCHEMA>>): Promise<FitReport> {
  const { spec, cohort, folder } = task;
  const people = {
    train: cohort.train.map(countedPerson),
    valid: cohort.valid.map(countedPerson),
  };
  const { weights, best, trials } = await withDevice(
    "auto",
    (gpu) =>
      fitLogit(gpu, people, {
        numOccupations: NUM_OCCUPATIONS,
        covariates: spec.covariates,
        ...searchOf(task),
      }),
    task.device,
  );
  task.progress.clear();
  const report = { numParameters: weights.table.length, details: detailsOf(best, trials) };
  const file = fileOf(FIT_FILE, encodeJson(report, FIT_FILE));
  await saveCheckpoint(folder, FITTED_FOLDER, [...logitFiles(weights), file]);
  return report;
}

/**
 * How penalties are searched, as the settings of a family say.
 *
 * @param task The fit.
 * @param label What progress is shown of; asked each time.
 */
export function searchOf(
  {
    name,
    spec,
    progress,
    signal,
  }: Pick<
    FitTask<z.output<z.ZodObject<typeof PENALTY_SETTINGS>>>,
    "name" | "spec" | "progress" | "signal"
  >,
  label = () => name,
) {
  const begin = performance.now();
  const seconds = () => (performance.now() - begin) / 1000;
  let numIterations = 0;
  return {
    penalties: spec.penalties,
    limit: spec.clamp ?? Infinity,
    maxIterations: spec.max_iterations,
    tolerance: spec.tolerance,
    valueTolerance: spec.value_tolerance,
    signal,
    onIteration: (penalty: number, { iteration, value, relativeNorm }: MinimizeProgress) => {
      numIterations += 1;
      const perSecond = numIterations / seconds();
      // An iteration makes the gradient shorter by some factor: what is left at that pace, at most.
      const pace = Math.log(Math.max(relativeNorm, 1e-12)) / iteration;
      const needed = pace < 0 ? Math.log(spec.tolerance / relativeNorm) / pace : Infinity;
      const left = Math.max(0, Math.min(needed, spec.max_iterations - iteration)) / perSecond;
      progress.update(
        () =>
          `${label()}: penalty ${penalty} · iteration ${iteration} · loss ${value.toFixed(4)} · gradient ${relativeNorm.toExponential(1)} · ${perSecond.toPrecision(2)}/s · about ${formatDuration(1000 * left)} left of this penalty`,
      );
    },
  };
}

/** What validation chose, and what else it saw. */
export function detailsOf(
  best: PenaltyTrial,
  trials: readonly PenaltyTrial[],
): Record<string, string | number> {
  const numIterations = trials.reduce((sum, trial) => sum + trial.numIterations, 0);
  return {
    penalty: best.penalty,
    valid_perplexity: best.perplexity,
    iterations: numIterations,
    ended: best.reason,
    ...Object.fromEntries(
      trials.map(({ penalty, perplexity }) => [`valid_perplexity_at_${penalty}`, perplexity]),
    ),
  };
}
