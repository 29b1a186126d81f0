import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Batch } from "../../data/batch.ts";
import type { Gpu, GpuOptions } from "../../engine/gpu.ts";
import { LossStep } from "../../model/train/loss_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { ModelInputs } from "../../model/transformer/inputs.ts";
import { assertClose, openGpu } from "../support.ts";
import { BATCH, checkCheckpointing, checkTransformer } from "./check_transformer.ts";
import { packedBatch, TINY_FAMILIES, TINY_MODELS, tinyModel } from "./tiny_model.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  "flat kernels": { variant: "flat" },
  "flat kernels without subgroups": { variant: "flat", subgroups: false },
  "tiled kernels": { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
after(() => gpus.forEach(([, gpu]) => gpu.destroy()));

const LOG_PROBABILITY_TOLERANCE = { rtol: 1e-5, atol: 1e-5 };
for (const [name, config] of Object.entries({ ...TINY_MODELS, ...TINY_FAMILIES })) {
  for (const [way, gpu] of gpus) {
    test(`a transformer ${name} has the loss and gradients of float64, with ${way}`, () =>
      checkTransformer(gpu, config));
  }

  test(`a transformer ${name} has the same gradients, in less memory, when blocks are computed again`, () =>
    checkCheckpointing(gpus[0]![1], { ...config, numBlocks: 4 }));

  test(`a transformer ${name} gives packed documents the losses that each has alone`, async () => {
    const [, gpu] = gpus[0]!;
    const packed = await logProbabilities(gpu, config, BATCH);
    for (const [row, begin, length] of [
      [0, 0, 5],
      [0, 6, 3],
      [1, 0, 7],
      [1, 7, 2],
    ] as const) {
      const at = row * BATCH.seqLen + begin;
      const alone = packedBatch([[length]], { seqLen: length });
      alone.tokens.set(BATCH.tokens.subarray(at, at + length));
      alone.targets.set(BATCH.targets.subarray(at, at + length));
      assertClose(await logProbabilities(gpu, config, alone), packed.subarray(at, at + length), {
        what: `log-probability of the document at ${at}`,
        ...LOG_PROBABILITY_TOLERANCE,
      });
    }
  });
}

async function logProbabilities(gpu: Gpu, config: ModelConfig, batch: Batch) {
  const step = await new LossStep(gpu, tinyModel(gpu, config), batch).compile();
  const values = await step.logProbabilities(batch);
  step.destroy();
  return values;
}

test("a batch of another size, a token or a position out of range is named", async () => {
  const [, gpu] = gpus[0]!;
  const config = TINY_MODELS["like GPT-2"]!;
  const inputs = new ModelInputs(gpu, config, { numRows: 1, seqLen: 4 });
  const batch = packedBatch([[4]], { seqLen: 4 });
  assert.throws(() => inputs.write({ ...batch, seqLen: 5 }), {
    name: "RangeError",
    message: "Cannot run batch of seed 1: it must be [1, 4], got [1, 5]",
  });
  assert.throws(() => inputs.write({ ...batch, tokens: Uint32Array.of(0, 1, 11, 2) }), {
    name: "RangeError",
    message: "Cannot embed the token at position 2: ids must be below 11, got 11",
  });
  assert.throws(() => inputs.write({ ...batch, positions: Uint32Array.of(0, 1, 2, 16) }), {
    name: "RangeError",
    message: "Cannot embed the token at position 3: ids must be below 16, got 16",
  });
});
