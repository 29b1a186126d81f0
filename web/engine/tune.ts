import type { Career } from "../../data/career.ts";
import { encodeResume } from "../../data/encode_resume.ts";
import { batchesFrom } from "../../data/epochs.ts";
import { PackedDataset } from "../../data/pack.ts";
import { cutCareer, resumeOptions } from "../../data/wording.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { destroyAll } from "../../engine/tensor.ts";
import { Trainer, type TrainerOptions } from "../../model/train/trainer.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import type { FineTuneOptions, TrainedStep } from "./api.ts";
import { badInput } from "./explain.ts";
import type { OpenedModel } from "./open_source.ts";

/** What `tenure train` has by default. */
const OPTIMIZER = { weightDecay: 0.1, beta1: 0.9, beta2: 0.98, finalShare: 0.05 } as const;
const WARMUP_RATIO = 0.05;
const WEIGHTS = { titleWeight: 1, otherWeight: 0.1 } as const;

/** Places of a row are a multiple of this. */
const ROW_STEP = 64;

/** Batches of some careers, and a trainer's options. */
export interface TuningPlan {
  readonly data: PackedDataset;
  readonly trainer: TrainerOptions;
}

/**
 * Packs careers for a model, before it is changed.
 *
 * @throws {EngineError} Of kind `"bad-input"` if there are no careers, or a number is out of range.
 * @throws {RangeError} If a career is not fit for a resume.
 */
export function planTuning(
  careers: readonly Career[],
  { tokenizer, wording, stored }: OpenedModel,
  options: FineTuneOptions,
): TuningPlan {
  const { steps, learningRate = 1e-3, batchTokens = 512, seed = 0 } = options;
  checkPositive("steps", steps, Number.isSafeInteger(steps));
  checkPositive("batchTokens", batchTokens, Number.isSafeInteger(batchTokens));
  checkPositive("learningRate", learningRate, Number.isFinite(learningRate));
  if (careers.length === 0) throw badInput("Cannot fine-tune: there must be careers, got none");
  const resumes = careers.map((career) =>
    encodeResume(cutCareer(career, wording), tokenizer, resumeOptions(wording)),
  );
  const longest = Math.max(...resumes.map(({ tokens }) => tokens.length));
  const rounded = Math.ceil(longest / ROW_STEP) * ROW_STEP;
  const seqLen = Math.min(rounded, stored.config.maxSeqLen, batchTokens);
  const numRows = Math.floor(batchTokens / seqLen);
  const { padId } = tokenizer;
  return {
    data: new PackedDataset(resumes, { seqLen, numRows, seed, padId, ...WEIGHTS }),
    trainer: {
      seqLen,
      numRows,
      seed,
      learningRate,
      maxSteps: steps,
      warmupSteps: Math.round(WARMUP_RATIO * steps),
      ...OPTIMIZER,
    },
  };
}

function checkPositive(name: string, value: number, isNumber: boolean): void {
  if (isNumber && value > 0) return;
  throw badInput(`Cannot fine-tune: ${name} must be positive, got ${value}`);
}

/**
 * Trains a model in place. Whoever stops listening, or aborts, keeps what was learned so far.
 *
 * @param transformer Its weights are trainable.
 * @throws {NotFiniteError} If it does not learn, but blows up.
 */
export async function* tune(
  gpu: Gpu,
  transformer: Transformer,
  { plan, options }: { readonly plan: TuningPlan; readonly options: FineTuneOptions },
): AsyncGenerator<TrainedStep> {
  const { signal, onProgress, steps: total } = options;
  onProgress?.({ phase: "compile", what: "kernels", done: 0, unit: "kernels" });
  const trainer = new Trainer(gpu, transformer, plan.trainer);
  try {
    const batches = batchesFrom(plan.data, 0);
    for await (const event of trainer.run(batches, signal === undefined ? {} : { signal })) {
      if (event.type !== "step") continue;
      const { step, loss, numTokens, ms } = event;
      onProgress?.({ phase: "train", what: event.batch, done: step, total, unit: "steps" });
      yield { step, loss, tokensPerSecond: (1000 * numTokens) / ms };
    }
  } finally {
    const { moments } = trainer.step;
    trainer.step.destroy();
    destroyAll([...moments.values()].flatMap(({ m, v }) => [m, v]));
  }
}
