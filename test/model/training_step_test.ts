import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { TrainingStep, type TrainingStepOptions } from "../../model/train/training_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { assertClose, openGpu } from "../support.ts";
import { packedBatch, packedBytes, TINY_MODELS, tinyModel } from "./tiny_model.ts";

const flat = await openGpu({ variant: "flat" });
const tiled = await openGpu({ variant: "tiled" });
after(() => [flat, tiled].forEach((gpu) => gpu.destroy()));

const SEQ_LEN = 9;
const LLAMA = TINY_MODELS["like Llama, with grouped heads"]!;
const DROPOUT =
  TINY_MODELS["with learned positions, grouped heads, dropout and an output of its own"]!;

const batchOf = (rows: number[][], seed: number) => packedBatch(rows, { seqLen: SEQ_LEN, seed });

/** A model and its step; `steps` runs lists of micro-batches, one after another. */
async function training(gpu: Gpu, config: ModelConfig, options: Partial<TrainingStepOptions> = {}) {
  const model = tinyModel(gpu, config);
  const step = new TrainingStep(gpu, model, { numRows: 2, seqLen: SEQ_LEN, ...options });
  await step.compile();
  let numBatches = 0;
  let count = 0;
  const take = async (batches: readonly Batch[], learningRate = 0.01) => {
    count += 1;
    const result = await step.run(batches, { learningRate, step: count, numBatches });
    numBatches += batches.length;
    return result;
  };
  const read = async () => {
    const moments = model.parameters.flatMap(({ label }) => {
      const { m, v } = step.moments.get(label)!;
      return [m, v];
    });
    return Promise.all([...model.parameters, ...moments].map((tensor) => gpu.read(tensor)));
  };
  return { model, step, take, read };
}

for (const gpu of [flat, tiled]) {
  test(`three steps with dropout give the same bits twice, with ${gpu.variant} kernels`, async () => {
    const run = async (seed: number) => {
      const { take, read, step } = await training(gpu, DROPOUT, { seed });
      const losses: number[] = [];
      for (const index of [1, 2, 3]) {
        const batches = [batchOf([[9], [4, 5]], index), batchOf([[2, 6], [9]], index + 10)];
        losses.push((await take(batches)).loss);
      }
      const state = await read();
      step.destroy();
      return { losses, state };
    };
    const once = await run(5);
    assert.deepEqual(await run(5), once);
    assert.notDeepEqual((await run(6)).losses, once.losses, "another seed draws other masks");
  });
}

test("every micro-batch of every step draws masks of its own", async () => {
  const { take, step } = await training(flat, { ...DROPOUT, dropout: 0.5 });
  const batch = batchOf([[9], [4, 5]], 1);
  const losses: number[] = [];
  for (let i = 0; i < 4; i++) losses.push((await take([batch], 0)).loss);
  assert.equal(new Set(losses).size, 4, `losses must differ, got ${losses.join(", ")}`);
  // Two micro-batches of one step too: their mean is not what either gives alone.
  const [third, fourth] = [losses[2]!, losses[3]!];
  const again = await training(flat, { ...DROPOUT, dropout: 0.5 });
  await again.take([batch, batch], 0);
  const { loss } = await again.take([batch, batch], 0);
  assertClose([loss], [(third + fourth) / 2], { what: "loss", rtol: 1e-6, atol: 0 });
  step.destroy();
  again.step.destroy();
});

test("both variants take the same steps", async () => {
  const run = async (gpu: Gpu) => {
    const { take, step } = await training(gpu, DROPOUT);
    const results = [];
    for (const index of [1, 2, 3]) results.push(await take([batchOf([[9], [4, 5]], index)]));
    step.destroy();
    return results.flatMap(({ loss, gradNorm }) => [loss, gradNorm]);
  };
  assertClose(await run(tiled), await run(flat), { what: "loss or norm", rtol: 1e-4, atol: 0 });
});

test("two micro-batches weigh as one batch of all their rows", async () => {
  const whole = batchOf([[9], [4, 5]], 1);
  const half = (row: number): Batch => {
    const slice = <A extends Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(values: A) =>
      values.slice(row * SEQ_LEN, (row + 1) * SEQ_LEN) as A;
    return {
      label: `row ${row}`,
      numRows: 1,
      seqLen: SEQ_LEN,
      tokens: slice(whole.tokens),
      targets: slice(whole.targets),
      weights: slice(whole.weights),
      positions: slice(whole.positions),
      starts: slice(whole.starts),
      ends: slice(whole.ends),
    };
  };
  // Moments, unlike weights, are no more sensitive than the gradients that they average.
  const one = await training(flat, LLAMA, { maxGradNorm: Infinity });
  const two = await training(flat, LLAMA, { maxGradNorm: Infinity, numRows: 1 });
  const results = [await one.take([whole]), await two.take([half(0), half(1)])];
  assertClose([results[1]!.loss], [results[0]!.loss], { what: "loss", rtol: 1e-6, atol: 0 });
  assertClose([results[1]!.gradNorm], [results[0]!.gradNorm], {
    what: "norm",
    rtol: 1e-5,
    atol: 0,
  });
  for (const { label } of one.model.parameters) {
    const [a, b] = await Promise.all(
      [one, two].map(({ step }) => flat.read(step.moments.get(label)!.m)),
    );
    assertClose(b!, a!, { what: `m of ${label}`, rtol: 1e-5, atol: 1e-7 });
  }
  one.step.destroy();
  two.step.destroy();
});

test("the loss is a mean over the weights, and nothing moves where nothing weighs", async () => {
  const batch = batchOf([[9], [4, 5]], 1);
  const { take, step } = await training(flat, LLAMA, { weightDecay: 0 });
  const { loss } = await take([batch], 0);
  const doubled = { ...batch, weights: batch.weights.map((weight) => 2 * weight) };
  assertClose([(await take([doubled], 0)).loss], [loss], { what: "loss", rtol: 1e-6, atol: 0 });
  const fresh = await training(flat, LLAMA, { weightDecay: 0 });
  const before = await fresh.read();
  const result = await fresh.take([{ ...batch, weights: new Float32Array(18) }], 0.1);
  assert.deepEqual(result, { loss: 0, gradNorm: 0, finite: true, skipped: false });
  assert.deepEqual(await fresh.read(), before);
  step.destroy();
  fresh.step.destroy();
});

test("a step that is not finite moves no weight and no moment, and the next one is clean", async () => {
  const good = batchOf([[9], [4, 5]], 1);
  const overflow = { ...good, weights: good.weights.map(() => Infinity) };
  const { take, read, step } = await training(flat, LLAMA);
  await take([good]);
  const before = await read();
  const { finite, skipped } = await take([good, overflow]);
  assert.deepEqual([finite, skipped], [false, true]);
  assert.deepEqual(await read(), before);
  // Had the failed step left its gradients behind, this one would differ from a run without it.
  const again = await training(flat, LLAMA);
  await again.take([good]);
  const [afterFailure, clean] = [await take([good]), await again.take([good])];
  assert.equal(afterFailure.loss, clean.loss);
  assert.equal(afterFailure.gradNorm, clean.gradNorm);
  step.destroy();
  again.step.destroy();
});

test("only matrices decay, unless told otherwise", async () => {
  const batch = batchOf([[9], [4, 5]], 1);
  const still = { ...batch, weights: new Float32Array(18) };
  const config = TINY_MODELS["like GPT-2"]!;
  for (const decays of [undefined, () => true]) {
    const options = decays === undefined ? {} : { decays };
    const { model, take, step } = await training(flat, config, { weightDecay: 0.5, ...options });
    const before = await Promise.all(model.parameters.map((p) => flat.read(p)));
    await take([still], 0.1);
    for (const [index, parameter] of model.parameters.entries()) {
      const share = decays !== undefined || parameter.shape.length > 1 ? 1 - 0.1 * 0.5 : 1;
      assertClose(
        await flat.read(parameter),
        before[index]!.map((value) => share * value),
        { what: parameter.label, rtol: 1e-6, atol: 1e-8 },
      );
    }
    step.destroy();
  }
});

test("describe() counts the bytes of a model", () => {
  const model = tinyModel(flat, LLAMA);
  const step = new TrainingStep(flat, model, { numRows: 2, seqLen: SEQ_LEN });
  const { gradients, update } = step.describe();
  const bytes = packedBytes(model.parameters);
  assert.equal(gradients.bytes.weights, bytes);
  assert.equal(gradients.bytes.gradients, bytes);
  assert.equal(update.bytes.optimizer, 2 * bytes);
  assert.ok(gradients.sharedActivationBytes < gradients.bytes.activations);
  step.destroy();
});

test("a norm to clip at that is not positive throws", () => {
  const model = tinyModel(flat, LLAMA);
  for (const maxGradNorm of [0, -1, NaN]) {
    assert.throws(
      () => new TrainingStep(flat, model, { numRows: 1, seqLen: SEQ_LEN, maxGradNorm }),
      {
        name: "RangeError",
        message: `Cannot clip gradients: maxGradNorm must be positive, got ${maxGradNorm}`,
      },
    );
  }
});
