import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Batch } from "../../data/batch.ts";
import {
  hopelessness,
  initialLossScale,
  type LossScale,
  type LossScaleOptions,
  nextLossScale,
} from "../../model/train/loss_scale.ts";
import {
  Trainer,
  type TrainerEvent,
  type TrainerOptions,
  type TrainerState,
} from "../../model/train/trainer.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { withoutFloat16 } from "../engine/check_op.ts";
import { openGpu } from "../support.ts";
import { packedBatch, TINY_MODELS, tinyModel } from "./tiny_model.ts";

const gpu = await openGpu();
after(() => gpu.destroy());
const skip = withoutFloat16(gpu);

/** Scales after steps that are finite (1) or not (0). */
function scalesOf(steps: readonly (0 | 1)[], options: LossScaleOptions): LossScale[] {
  let state = initialLossScale(options);
  return steps.map((finite) => (state = nextLossScale(state, finite === 1, options)));
}

test("a loss scale halves at once, doubles after so many finite steps in a row, and has bounds", () => {
  const options = { initial: 8, growthInterval: 3, most: 16 };
  const steps = [1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0] as const;
  const scales = scalesOf(steps, options).map(({ scale }) => scale);
  assert.deepEqual(scales, [8, 8, 4, 4, 4, 8, 8, 8, 16, 16, 16, 16, 8, 4]);
  assert.deepEqual(initialLossScale(), { scale: 65_536, numFinite: 0, numSkipped: 0 });
  assert.equal(initialLossScale({ most: 1024 }).scale, 1024);
});

test("a loss scale is given up below 1, or after too many skipped steps in a row", () => {
  const reasons = (steps: (0 | 1)[], options: LossScaleOptions) =>
    scalesOf(steps, options).map((state) => hopelessness(state, options)?.split(" ")[0]);
  assert.deepEqual(reasons([0, 0, 0], { initial: 4 }), [undefined, undefined, "a"]);
  assert.deepEqual(reasons([0, 1, 0, 0], { maxSkips: 2 }), [undefined, undefined, undefined, "2"]);
});

test("options of a loss scale that are out of range throw", () => {
  for (const options of [{ initial: 3 }, { initial: 0.5 }, { most: NaN }, { most: 2 ** 33 }]) {
    assert.throws(() => initialLossScale(options), {
      name: "RangeError",
      message:
        /^Cannot scale a loss: (initial|most) must be a power of two from 1 to 2 \*\* 32, got /,
    });
  }
  assert.throws(() => initialLossScale({ maxSkips: 0 }), {
    name: "RangeError",
    message: "Cannot scale a loss: maxSkips must be positive, got 0",
  });
});

const SEQ_LEN = 9;
const CONFIG =
  TINY_MODELS["with learned positions, grouped heads, dropout and an output of its own"]!;
const OPTIONS = {
  numRows: 2,
  seqLen: SEQ_LEN,
  learningRate: 0.01,
  maxSteps: 6,
  seed: 3,
  accumulation: 2,
  dtype: "f16",
  checkpoint: true,
  lossScale: { initial: 2 ** 10, growthInterval: 2 },
} satisfies TrainerOptions;

/** Batch `index` of an endless stream; some have weights that no half can hold. */
function batchAt(index: number, poisoned: readonly number[]): Batch {
  const rows = index % 2 === 0 ? [[9], [4, 5]] : [[2, 6], [9]];
  const batch = packedBatch(rows, { seqLen: SEQ_LEN, seed: index + 1 });
  const weights = poisoned.includes(index) ? batch.weights.map(() => Infinity) : batch.weights;
  return { ...batch, weights, label: `batch ${index}` };
}

function* batchesFrom(begin: number, poisoned: readonly number[] = []): Generator<Batch> {
  for (let index = begin; ; index++) yield batchAt(index, poisoned);
}

/** Weights and moments, as a checkpoint would store them. */
async function save(model: Transformer, trainer: Trainer) {
  const tensors = model.parameters.flatMap((parameter) => {
    const { m, v } = trainer.step.moments.get(parameter.label)!;
    return [parameter, m, v];
  });
  return Promise.all(tensors.map((tensor) => gpu.read(tensor)));
}

/** Everything that a run tells and leaves behind. */
async function run(
  options: TrainerOptions,
  { poisoned = [] }: { readonly poisoned?: readonly number[] } = {},
) {
  const model = tinyModel(gpu, CONFIG);
  const trainer = new Trainer(gpu, model, options);
  const events: TrainerEvent[] = [];
  const states: TrainerState[] = [];
  const saved: Float32Array<ArrayBuffer>[][] = [await save(model, trainer)];
  for await (const event of trainer.run(batchesFrom(0, poisoned))) {
    if (event.type === "end") break;
    events.push(event);
    states.push(trainer.state);
    saved.push(await save(model, trainer));
  }
  return { events, states, saved };
}

test(
  "a step that overflows moves no bit, halves the scale, is told, and counts as none",
  { skip },
  async () => {
    const { events, states, saved } = await run(OPTIONS, { poisoned: [5] });
    assert.deepEqual(
      events.map(({ type, step }) => `${type} ${step}`),
      ["step 1", "step 2", "skip 2", "step 3", "step 4", "step 5", "step 6"],
    );
    const skipped = events[2]!;
    assert.ok(skipped.type === "skip" && skipped.batch === "batch 5" && skipped.numTokens === 36);
    assert.equal(skipped.lossScale, 1024);
    assert.deepEqual(saved[3], saved[2], "weights and moments stay");
    assert.notDeepEqual(saved[4], saved[3]);
    const scales = states.map(({ lossScale }) => lossScale!.scale);
    assert.deepEqual(scales, [1024, 2048, 1024, 1024, 2048, 2048, 4096]);
    assert.deepEqual(
      states.map(({ numBatches }) => numBatches),
      [2, 4, 6, 8, 10, 12, 14],
    );
  },
);

test("a scale that is too large finds its size, and training begins", { skip }, async () => {
  // Gradients of halves end at 65,504: 2³² is beyond what any can bear.
  const options = { ...OPTIONS, maxSteps: 2, lossScale: { initial: 2 ** 32, most: 2 ** 32 } };
  const { events, saved } = await run(options);
  const numSkipped = events.findIndex(({ type }) => type === "step");
  assert.ok(numSkipped >= 8, `it must be too large at first, got ${numSkipped} skipped steps`);
  assert.deepEqual(saved[numSkipped], saved[0]);
  assert.notDeepEqual(saved.at(-1), saved[0]);
});

test(
  "a run in f16 resumed at any step has the bits of one that was never interrupted",
  { skip },
  async () => {
    const poisoned = [3, 7];
    const { events, states, saved } = await run(OPTIONS, { poisoned });
    for (const k of [1, 2, 5]) {
      const model = tinyModel(gpu, CONFIG);
      // As a file keeps it.
      const state = JSON.parse(JSON.stringify(states[k - 1])) as TrainerState;
      const resumed = new Trainer(gpu, model, OPTIONS, state);
      model.parameters.forEach((parameter, index) => {
        const { m, v } = resumed.step.moments.get(parameter.label)!;
        [parameter, m, v].forEach((tensor, part) =>
          gpu.write(tensor, saved[k]![3 * index + part]!),
        );
      });
      const lossOf = (event: TrainerEvent) => ("loss" in event ? event.loss : event.type);
      const rest: (string | number)[] = [];
      for await (const event of resumed.run(batchesFrom(state.numBatches, poisoned))) {
        if (event.type !== "end") rest.push(lossOf(event));
      }
      assert.deepEqual(rest, events.slice(k).map(lossOf));
      assert.deepEqual(resumed.state, states.at(-1));
      assert.deepEqual(await save(model, resumed), saved.at(-1));
    }
  },
);

test(
  "steps that overflow in a row stop a run in f16 with the reason; the weights stay",
  { skip },
  async () => {
    const model = tinyModel(gpu, CONFIG);
    const lossScale = { maxSkips: 3 };
    const trainer = new Trainer(gpu, model, { ...OPTIONS, accumulation: 1, lossScale });
    const before = await save(model, trainer);
    const types: string[] = [];
    await assert.rejects(
      async () => {
        for await (const { type } of trainer.run(batchesFrom(0, [0, 1, 2]))) types.push(type);
      },
      {
        name: "NotFiniteError",
        message:
          "Cannot go on training: loss and gradients must be finite, got 3 steps in a row that overflow in half precision at step 1 (batch 2); lower the learning rate, or train in f32",
      },
    );
    assert.deepEqual(types, ["skip", "skip"]);
    assert.deepEqual(await save(model, trainer), before);
  },
);
