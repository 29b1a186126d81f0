import type { Batch } from "../../data/mod.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import { TrainingStep, type TrainingStepOptions } from "../../model/train/training_step.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";

/** Steps that are timed, after one that is not. */
const NUM_TIMED = 4;

/** What to time. */
export interface MeasureOptions {
  readonly step: TrainingStepOptions;
  /** As many batches as a step takes. */
  readonly batches: readonly Batch[];
  /** Batches of one validation. */
  readonly numValidationBatches: number;
}

/** Times on this device, in ms. */
export interface Measurement {
  readonly stepMs: number;
  readonly validationMs: number;
}

/**
 * Times a training step and a validation. The learning rate is 0 and the moments are thrown
 * away, so that the model stays as it was.
 */
export async function measure(
  gpu: Gpu,
  model: Transformer,
  { step: options, batches, numValidationBatches }: MeasureOptions,
): Promise<Measurement> {
  const step = await new TrainingStep(gpu, model, options).compile();
  const loss = await new LossStep(gpu, model, options).compile();
  try {
    const stepMs = await median(async () => {
      await step.run(batches, { learningRate: 0, step: 1, numBatches: 0 });
    });
    const batchMs = await median(async () => {
      await loss.loss(batches[0]!);
    });
    return { stepMs, validationMs: batchMs * numValidationBatches };
  } finally {
    step.destroy();
    loss.destroy();
    for (const { m, v } of step.moments.values())
      for (const { buffer } of [m, v]) buffer?.destroy();
  }
}

async function median(work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat <= NUM_TIMED; repeat++) {
    const begin = performance.now();
    await work();
    if (repeat > 0) times.push(performance.now() - begin);
  }
  return times.toSorted((a, b) => a - b)[NUM_TIMED >> 1]!;
}

/**
 * Steps that fit into a time with their validations.
 *
 * @param availableMs Time left.
 * @param numValidations Validations in all, if that is fixed; else one every `evalSteps`.
 */
export function stepsWithin(
  availableMs: number,
  { stepMs, validationMs }: Measurement,
  { evalSteps, numValidations }: { readonly evalSteps: number; readonly numValidations: number },
): number {
  const steps =
    evalSteps > 0
      ? availableMs / (stepMs + validationMs / evalSteps)
      : (availableMs - numValidations * validationMs) / stepMs;
  return Math.max(1, Math.floor(steps));
}
