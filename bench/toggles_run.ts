/** Measures the works of `bench/toggles.ts` under the switches it is told; prints JSON. */
import { openAdapter } from "../cli/platform/dawn.ts";
import { matmul } from "../engine/ops/matmul.ts";
import { Gpu } from "../engine/gpu.ts";
import { Plan } from "../engine/plan.ts";
import { timePlan } from "../engine/profile/time_plan.ts";
import { Tape } from "../engine/tape.ts";
import { Generator } from "../model/generate/generator.ts";
import { TrainingStep } from "../model/train/training_step.ts";
import { Transformer } from "../model/transformer/transformer.ts";
import {
  SMALL_GPT,
  SMALL_GPT_BATCH,
  SMALL_GPT_LEARNING_RATE,
  SMALL_GPT_OPTIMIZER,
  smallGptBatch,
  smallGptWeights,
} from "./small_gpt.ts";
import { median } from "./report/statistics.ts";

/** Times in ms. */
export interface TogglesMeasured {
  /** Of a training step. */
  readonly trainMs: number;
  /** Of a product of f32 matrices, 512 wide. */
  readonly matmulMs: number;
  /** Of a token. */
  readonly decodeMs: number;
  /** From opening the device to the end of the first training step: compilation counts most. */
  readonly firstStepMs: number;
}

const NUM_STEPS = 8;
const NUM_TOKENS = 64;
const MATMUL_SIZE = 512;

const begin = performance.now();
const { adapter } = await openAdapter({ toggles: process.argv.slice(2) });
const gpu = await Gpu.open(adapter);
const model = Transformer.create(gpu, SMALL_GPT, { values: smallGptWeights() });
const { firstStepMs, trainMs } = await train();
const measured: TogglesMeasured = {
  trainMs,
  matmulMs: await product(),
  decodeMs: await decode(),
  firstStepMs,
};
process.stdout.write(`${JSON.stringify(measured)}\n`);
process.exit(0);

async function train(): Promise<{ firstStepMs: number; trainMs: number }> {
  const options = { ...SMALL_GPT_BATCH, ...SMALL_GPT_OPTIMIZER };
  const training = await new TrainingStep(gpu, model, options).compile();
  const batch = smallGptBatch();
  const ends = [performance.now()];
  for (let step = 1; step <= NUM_STEPS; step++) {
    const at = { learningRate: SMALL_GPT_LEARNING_RATE, step, numBatches: step - 1 };
    await training.run([batch], at);
    ends.push(performance.now());
  }
  const times = ends.slice(2).map((end, step) => end - ends[step + 1]!);
  return { firstStepMs: ends[1]! - begin, trainMs: median(times) };
}

async function product(): Promise<number> {
  const shape = [MATMUL_SIZE, MATMUL_SIZE];
  const [a, b, c] = ["a", "b", "c"].map((label) => gpu.tensor(shape, { label }));
  const tape = new Tape(gpu);
  matmul(tape, "nt", { a: a!, b: b!, c: c! });
  const plan = await new Plan(gpu, tape).compile();
  const { ms } = await timePlan(gpu, plan, { rounds: 5, minMs: 50 });
  return ms;
}

async function decode(): Promise<number> {
  const generator = new Generator(gpu, model, { numRows: 1, capacity: SMALL_GPT.maxSeqLen });
  const request = { prompt: Uint32Array.of(1), settings: {} };
  const ends: number[] = [];
  for await (const _ of generator.run([request], { maxSteps: NUM_TOKENS, endTokens: [] })) {
    ends.push(performance.now());
  }
  return median(ends.slice(1).map((end, step) => end - ends[step]!));
}
