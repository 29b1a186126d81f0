import type { TrainerOptions } from "../../model/train/trainer.ts";
import type { RunSettings } from "./settings.ts";

/** Options of the trainer under a run's settings. */
export function trainerOptions(settings: RunSettings, maxSteps: number): TrainerOptions {
  const { batch, optimizer, validation, seed, dtype, checkpoint } = settings;
  const { seqLen, numRows, accumulation } = batch;
  const { warmupRatio, maxGradNorm, ...rest } = optimizer;
  return {
    seqLen,
    numRows,
    accumulation,
    seed,
    ...rest,
    maxGradNorm: maxGradNorm === 0 ? Infinity : maxGradNorm,
    maxSteps,
    warmupSteps: Math.round(warmupRatio * maxSteps),
    evalEvery: validation.evalSteps,
    ...(dtype !== undefined && { dtype }),
    ...(checkpoint !== undefined && { checkpoint }),
    patience: validation.patience === 0 ? Infinity : validation.patience,
  };
}
