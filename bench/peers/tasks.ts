import { SMALL_GPT_BATCH } from "../small_gpt.ts";

/** What engines are compared on. */
export interface Task {
  readonly name: TaskName;
  /** What it is, for people. */
  readonly title: string;
  /** Operations of one run, counted from the maths, whatever an engine really does. */
  readonly flops?: number;
  /** Tokens that one run trains on. */
  readonly tokens?: number;
  /** Largest error of a result that counts; see {@linkcode Report.error}. */
  readonly tolerance: number;
}

export type TaskName = "matmul512" | "matmul1024" | "attention" | "attentionBackward" | "training";

/** One row of heads that see the past and themselves, as language models have it. */
export const ATTENTION = { numHeads: 8, seqLen: 256, headDim: 64 } as const;

// Sums of up to 1,024 products in f32, in whatever order; f16 or TF32 would be off by 1e-4 and more.
const SUM_TOLERANCE = 1e-5;
// Above that, exp() of a GPU may be off by several units in the last place.
const ATTENTION_TOLERANCE = 3e-5;
// Losses of six steps near 6; AdamW's first steps enlarge what rounding does to small gradients.
const LOSS_TOLERANCE = 1e-5;

const { numHeads, seqLen, headDim } = ATTENTION;
/** Pairs of a query and a key that it sees. */
const PAIRS = (numHeads * seqLen * (seqLen + 1)) / 2;
/** Operations of one product over all pairs. */
const PAIR_FLOPS = 2 * headDim * PAIRS;

/**
 * All tasks. Attention has two products over the visible pairs forward, and four more backward;
 * computing scores again, or for pairs that are masked, counts for nobody.
 */
export const TASKS: readonly Task[] = [
  {
    name: "matmul512",
    title: "matmul f32, 512 × 512 × 512",
    flops: 2 * 512 ** 3,
    tolerance: SUM_TOLERANCE,
  },
  {
    name: "matmul1024",
    title: "matmul f32, 1024 × 1024 × 1024",
    flops: 2 * 1024 ** 3,
    tolerance: SUM_TOLERANCE,
  },
  {
    name: "attention",
    title: "causal attention f32, forward, B=1 H=8 T=256 D=64",
    flops: 2 * PAIR_FLOPS,
    tolerance: ATTENTION_TOLERANCE,
  },
  {
    name: "attentionBackward",
    title: "causal attention f32, forward and backward, B=1 H=8 T=256 D=64",
    flops: 6 * PAIR_FLOPS,
    tolerance: ATTENTION_TOLERANCE,
  },
  {
    name: "training",
    title: "training step of a GPT of 0.9M parameters, 1,024 tokens, f32",
    tokens: SMALL_GPT_BATCH.numRows * SMALL_GPT_BATCH.seqLen,
    tolerance: LOSS_TOLERANCE,
  },
];

/** The task of that name. @throws {RangeError} If there is none. */
export function taskNamed(name: string | undefined): Task {
  const task = TASKS.find((one) => one.name === name);
  if (task !== undefined) return task;
  const names = TASKS.map((one) => one.name).join(", ");
  throw new RangeError(`Cannot find a task: it must be one of ${names}, got "${name}"`);
}

/** What a measured process prints as its last line. */
export interface Report {
  /**
   * Distance from the float64 reference: of arrays the largest, as a share of the largest expected
   * value; of training the largest of the first losses.
   */
  readonly error: number;
  /** From the inputs on the host to the end of the first run, compilation included. */
  readonly firstMs: number;
  /** Time of each run after warming up; none where the result is wrong. */
  readonly timesMs: readonly number[];
  /** What else one should know, such as which of its operators ran. */
  readonly note?: string;
}
