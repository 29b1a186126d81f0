import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Gpu } from "../../engine/gpu.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { assertClose, openGpu } from "../support.ts";
import { packedBatch, TINY_MODELS, tinyModel } from "./tiny_model.ts";

/** Most bytes of a binding: every matrix below is larger, every activation smaller. */
const LIMIT = 3072;
const devices = await Promise.all(
  (["flat", "tiled"] as const).map(async (variant) => ({
    variant,
    whole: await openGpu({ variant }),
    limited: await openGpu({ variant, maxBindingBytes: LIMIT }),
  })),
);
after(() =>
  devices.forEach(({ whole, limited }) => [whole, limited].forEach((gpu) => gpu.destroy())),
);

// Sums in f32 of up to 48 terms, taken in parts; three steps carry the roundings of the weights on.
const TOLERANCE = { rtol: 2e-5, atol: 0 };

const SIZES = { vocabSize: 100, dModel: 32, dHidden: 48, numHeads: 2, headDim: 16 } as const;

const MODELS: Readonly<Record<string, ModelConfig>> = {
  "like Llama": { ...TINY_MODELS["like Llama, with grouped heads"]!, ...SIZES },
  "like GPT-2, with an output of its own": {
    ...TINY_MODELS["like GPT-2"]!,
    ...SIZES,
    tieEmbeddings: false,
    numKvHeads: 2,
    maxSeqLen: 64,
  },
};

/** Losses and gradient norms of three steps, and how many dispatches of each kernel they took. */
async function train(gpu: Gpu, config: ModelConfig) {
  const model = tinyModel(gpu, config);
  const step = new TrainingStep(gpu, model, { numRows: 2, seqLen: 8 });
  await step.compile();
  const measured: number[] = [];
  for (let count = 1; count <= 3; count++) {
    const batch = packedBatch([[8], [3, 4]], { seqLen: 8, vocabSize: 100, seed: count });
    const at = { learningRate: 0.003, step: count, numBatches: count - 1 };
    const { loss, gradNorm } = await step.run([batch], at);
    measured.push(loss, gradNorm);
  }
  const { gradients, update } = step.describe();
  step.destroy();
  return {
    measured,
    dispatches: { ...gradients.numDispatchesByKernel, ...update.numDispatchesByKernel },
  };
}

for (const { variant, whole, limited } of devices) {
  for (const [name, config] of Object.entries(MODELS)) {
    test(`a model ${name} trains in many parts as it does in one, with ${variant} kernels`, async () => {
      const plain = await train(whole, config);
      const split = await train(limited, config);
      const matmul = variant === "flat" ? "matmulFlat" : "matmulTiled";
      for (const kernel of [matmul, "adamW", "sumSquares", "embeddingForward"]) {
        const [before, now] = [plain.dispatches[kernel]!, split.dispatches[kernel]!];
        assert.ok(now > 1.5 * before, `${kernel} must be split, got ${now} against ${before}`);
      }
      assertClose(split.measured, plain.measured, { what: "losses and norms", ...TOLERANCE });
    });
  }
}
