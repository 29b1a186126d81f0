import { destroyAll } from "../../engine/tensor.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { forwardFlopsPerToken } from "../../model/transformer/flops.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { CAREER, GPT2_124M, type ModelShape, type Scale } from "../cases/mod.ts";
import { type BenchRow, rowOf } from "../report/row.ts";
import {
  SMALL_GPT,
  SMALL_GPT_BATCH,
  SMALL_GPT_LEARNING_RATE,
  SMALL_GPT_LOSSES,
  SMALL_GPT_OPTIMIZER,
  smallGptBatch,
  smallGptWeights,
} from "../small_gpt.ts";
import { timeCalls } from "./host_clock.ts";
import { WrongResultError } from "../cases/mod.ts";
import type { BenchContext, BenchItem } from "./item.ts";
import { randomBatch } from "./random_batch.ts";

/** A training step to measure. */
interface Training extends ModelShape {
  readonly dtype: "f32" | "f16";
  readonly numRows: number;
  readonly seqLen: number;
  /** The small GPT, whose first losses are known in float64. */
  readonly isKnown?: boolean;
}

/** Largest distance of a loss of the small GPT from float64. */
const LOSS_TOLERANCE = 1e-5;

/**
 * Bytes a weight takes at least in a step, in f32: it is read forward and backward; its gradient is
 * added to and read; weight and moments are read and written by the optimizer.
 */
const BYTES_A_WEIGHT = 4 * (2 + 2 + 1 + 6);

/** Training steps: of the small GPT that engines are compared on, and, on GPUs, of whole models. */
export function trainItems(scale: Scale): BenchItem[] {
  const small: Training = {
    name: "small GPT",
    config: SMALL_GPT,
    dtype: "f32",
    ...SMALL_GPT_BATCH,
    isKnown: true,
  };
  const career = scale === "full" ? { numRows: 32, seqLen: 128 } : { numRows: 1, seqLen: 64 };
  const gpt2 = { numRows: 4, seqLen: 1024 };
  const steps: Training[] = [
    small,
    { ...CAREER, dtype: "f32", ...career },
    ...(scale === "full"
      ? (["f32", "f16"] as const).map((dtype) => ({ ...GPT2_124M, dtype, ...gpt2 }))
      : []),
  ];
  return steps.map((training) => ({
    ids: [idOf(training)],
    run: async (context) => {
      if (training.dtype === "f16" && !context.gpu.traits.hasFloat16) return [];
      return [await measureStep(training, context)];
    },
  }));
}

function idOf({ name, dtype, numRows, seqLen }: Training): string {
  return `train step ${dtype} ${name} B${numRows} T${seqLen}`;
}

async function measureStep(training: Training, context: BenchContext): Promise<BenchRow> {
  const { gpu, limitMs } = context;
  const { config, dtype, numRows, seqLen, isKnown = false } = training;
  const values = isKnown ? { values: smallGptWeights() } : {};
  const model = Transformer.create(gpu, config, values);
  const optimizer = isKnown ? SMALL_GPT_OPTIMIZER : {};
  const step = new TrainingStep(gpu, model, { numRows, seqLen, dtype, ...optimizer });
  try {
    const batch = isKnown ? smallGptBatch() : randomBatch(config.vocabSize, { numRows, seqLen });
    const losses: number[] = [];
    const take = async () => {
      const count = losses.length + 1;
      const at = { learningRate: SMALL_GPT_LEARNING_RATE, step: count, numBatches: count - 1 };
      losses.push((await step.run([batch], at)).loss);
    };
    const begin = performance.now();
    await step.compile();
    await take();
    const firstMs = performance.now() - begin;
    if (isKnown) for (let i = 1; i < SMALL_GPT_LOSSES.length; i++) await take();
    const timed = await timeCalls(take, context.effort);
    const error = checkLosses(training, losses);
    const numTokens = numRows * seqLen;
    const work = {
      flops: 3 * numTokens * forwardFlopsPerToken(config, seqLen),
      bytes: BYTES_A_WEIGHT * model.numParameters,
    };
    const shape = `${(model.numParameters / 1e6).toFixed(1)}M weights, ${numRows} × ${seqLen} tokens`;
    const about = { id: idOf(training), group: "train step", shape, dtype, firstMs } as const;
    const row = rowOf({ ...about, error, peakBytes: gpu.allocatedBytes }, timed, { work, limitMs });
    return { ...row, tokensPerSecond: (1000 * numTokens) / row.ms };
  } finally {
    step.destroy();
    destroyModel(model);
    destroyMoments(step);
  }
}

/** Losses must be those of float64 where they are known, and always fall on the one batch. */
function checkLosses(training: Training, losses: readonly number[]): number {
  const expected = training.isKnown === true ? SMALL_GPT_LOSSES : [];
  const error = Math.max(0, ...expected.map((loss, i) => Math.abs(losses[i]! - loss)));
  const [first, last] = [losses[0]!, losses.at(-1)!];
  if (error <= LOSS_TOLERANCE && Number.isFinite(last) && last < first) {
    return error / LOSS_TOLERANCE;
  }
  throw new WrongResultError(
    `Cannot trust ${idOf(training)}: its losses must fall, within ${LOSS_TOLERANCE} of float64 where that is known, got ${losses.slice(0, 8).join(", ")}`,
  );
}

/** Frees weights and gradients: those of a parameter live as long as the parameter. */
function destroyModel(model: Transformer): void {
  destroyAll(model.parameters.map(({ gradient }) => gradient));
  model.destroy();
}

function destroyMoments(step: TrainingStep): void {
  destroyAll([...step.moments.values()].flatMap(({ m, v }) => [m, v]));
}
