import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Gpu } from "../../engine/gpu.ts";
import { pack } from "../../engine/pack.ts";
import { sizeOf, type Tensor } from "../../engine/tensor.ts";
import { attachLora } from "../../model/lora/adapter.ts";
import { DEFAULT_LORA } from "../../model/lora/config.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import { TrainingStep, type TrainingStepOptions } from "../../model/train/training_step.ts";
import { checkActivationDType } from "../../model/transformer/activation_dtype.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { withoutFloat16 } from "../engine/check_op.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { BATCH, checkCheckpointing, checkTransformer } from "./check_transformer.ts";
import { packedBatch, TINY_FAMILIES, TINY_MODELS, tinyModel } from "./tiny_model.ts";

const flat = await openGpu({ variant: "flat" });
const tiled = await openGpu({ variant: "tiled" });
after(() => [flat, tiled].forEach((gpu) => gpu.destroy()));
const skip = withoutFloat16(flat);

/**
 * Some 60 roundings to half precision, of 2⁻¹¹ each, between a weight and the loss add up as a random
 * walk does, to 8 · 2⁻¹¹; the loss averages those of a dozen tokens. Gradients of biases are sums over
 * tokens that cancel: four times as much, of what is left.
 */
const PRECISION = {
  dtype: "f16",
  lossScale: 2 ** 8,
  tolerance: { loss: 2 ** -9, gradient: 2 ** -6 },
} as const;

const LLAMA = TINY_MODELS["like Llama, with grouped heads"]!;
const GPT2 = TINY_MODELS["like GPT-2"]!;

for (const [name, config] of Object.entries({ ...TINY_MODELS, ...TINY_FAMILIES })) {
  test(`a transformer ${name} in f16 has the loss and gradients of float64`, { skip }, () =>
    checkTransformer(flat, config, PRECISION),
  );
}

for (const [name, config] of Object.entries({ LLAMA, GPT2 })) {
  test(`a transformer of ${name}'s kind in f16 has them with tiled kernels, too`, { skip }, () =>
    checkTransformer(tiled, config, PRECISION),
  );

  test(`blocks of ${name}'s kind computed again in f16 change no bit`, { skip }, () =>
    checkCheckpointing(flat, { ...config, numBlocks: 4 }, PRECISION),
  );
}

/** Sizes at which activations, not weights, take the memory. */
const WIDER = { ...LLAMA, vocabSize: 100, dModel: 32, dHidden: 64, headDim: 16 } as const;

/** A task to learn by heart: the same few rows over and over. */
const batches = [1, 2, 3].map((seed) =>
  packedBatch([[16], [7, 9]], { seqLen: 16, vocabSize: 100, seed }),
);

/** Losses of so many steps on a model of one seed. */
async function train(gpu: Gpu, numSteps: number, options: Partial<TrainingStepOptions> = {}) {
  const model = Transformer.create(gpu, WIDER, { seed: 1 });
  const step = new TrainingStep(gpu, model, { numRows: 2, seqLen: 16, ...options });
  await step.compile();
  const losses: number[] = [];
  for (let count = 1; count <= numSteps; count++) {
    const batch = batches[count % batches.length]!;
    const place = { learningRate: 0.01, step: count, numBatches: count - 1, lossScale: 1024 };
    const { loss, skipped } = await step.run([batch], place);
    assert.equal(skipped, false);
    losses.push(loss);
  }
  const weights = await Promise.all(model.parameters.map((parameter) => gpu.read(parameter)));
  const { gradients } = step.describe();
  step.destroy();
  return { losses, weights, gradients };
}

/** Mean loss of the last steps, one of each batch. */
const last = (losses: readonly number[]): number =>
  losses.slice(-3).reduce((sum, loss) => sum + loss, 0) / 3;

test(
  "sixty steps in f16 learn what they learn in f32, in the same bits twice",
  { skip },
  async () => {
    const [full, half, again] = [
      await train(flat, 60),
      await train(flat, 60, { dtype: "f16" }),
      await train(flat, 60, { dtype: "f16", checkpoint: true }),
    ];
    assert.ok(last(full.losses) < 0.01 * full.losses[0]!, `f32 learns, got ${last(full.losses)}`);
    // Rounding sends the runs along paths that part slowly; where the loss is a hundredth of what it
    // was, they are still within a twentieth of each other.
    const [early, end] = [
      { rtol: 0.01, atol: 0 },
      { rtol: 0.05, atol: 0 },
    ];
    assertClose(half.losses.slice(0, 10), full.losses.slice(0, 10), { what: "loss", ...early });
    assertClose([last(half.losses)], [last(full.losses)], { what: "last loss", ...end });
    assert.notDeepEqual(half.losses, full.losses);
    assert.deepEqual(again.losses, half.losses);
    assert.deepEqual(again.weights, half.weights);
  },
);

test(
  "halves take three quarters of the memory of activations at most, and none for weights",
  { skip },
  async () => {
    const [full, half] = [await train(flat, 0), await train(flat, 0, { dtype: "f16" })];
    assert.ok(half.gradients.sharedActivationBytes < 0.75 * full.gradients.sharedActivationBytes);
    assert.equal(half.gradients.bytes.weights, full.gradients.bytes.weights);
    assert.equal(half.gradients.bytes.gradients, full.gradients.bytes.gradients);
  },
);

test(
  "the scale of the loss changes neither the norm nor the step, but what vanishes",
  { skip },
  async () => {
    const results = [];
    for (const lossScale of [1, 2 ** 12]) {
      const model = tinyModel(flat, LLAMA);
      const step = new TrainingStep(flat, model, { numRows: 2, seqLen: 9, dtype: "f16" });
      await step.compile();
      results.push(
        await step.run([BATCH], { learningRate: 0.01, step: 1, numBatches: 0, lossScale }),
      );
      step.destroy();
    }
    const [one, scaled] = results;
    assert.equal(scaled!.loss, one!.loss);
    // Where gradients are 2⁻¹² or so, halves have a few bits fewer than they have for 1.
    assertClose([scaled!.gradNorm], [one!.gradNorm], { what: "norm", rtol: 2e-3, atol: 0 });
  },
);

for (const dtype of ["f16", "bf16", "int8", "int4"] as const) {
  test(
    `adapters on a frozen base of ${dtype} have the loss and norm in f16 that they have in f32`,
    { skip },
    async () => {
      const results = [];
      for (const activations of ["f32", "f16"] as const) {
        const model = adapted(flat, { ...LLAMA, tieEmbeddings: false }, dtype);
        const options = { numRows: 2, seqLen: 9, dtype: activations, maxGradNorm: 1 };
        const step = new TrainingStep(flat, model, options);
        await step.compile();
        const held = await new LossStep(flat, model, options).compile();
        for (let count = 1; count <= 2; count++) {
          const place = { learningRate: 0.01, step: count, numBatches: count - 1, lossScale: 256 };
          const { loss, gradNorm, finite } = await step.run([BATCH], place);
          assert.ok(finite && gradNorm > 0);
          results.push(loss, gradNorm);
        }
        results.push(await held.loss(BATCH));
        step.destroy();
        held.destroy();
      }
      assertClose(results.slice(5), results.slice(0, 5), { what: "f16", rtol: 0.01, atol: 0 });
    },
  );
}

/** Adapters on a tiny model whose matrices are packed, and norms as they were. */
function adapted(gpu: Gpu, config: ModelConfig, dtype: "f16" | "bf16" | "int8" | "int4") {
  const plain = tinyModel(gpu, config);
  const tensors = new Map<string, Tensor>(
    plain.parameters.map((parameter, index) => {
      const { shape, label } = parameter;
      if (shape.length === 1) return [label, parameter];
      const values = pack(
        uniform(sizeOf(shape), index + 1).map((value) => value / 2),
        shape,
        dtype,
      );
      return [label, gpu.tensor(shape, { label, purpose: "weights", dtype, values })];
    }),
  );
  const base = new Transformer(gpu, config, { tensors, parameters: [] });
  return attachLora(gpu, base, { ...DEFAULT_LORA, rank: 3, alpha: 6 });
}

test("halves are refused where the device has none, with the remedy", () => {
  const device = { features: new Set<string>() } as unknown as GPUDevice;
  const info = { description: "a plain device" } as GPUAdapterInfo;
  assert.doesNotThrow(() => checkActivationDType({ device, info }, "f32"));
  assert.throws(() => checkActivationDType({ device, info }, "f16"), {
    name: "TypeError",
    message:
      "Cannot run a model in f16: the device must have shader-f16, got a plain device; use f32",
  });
});
