import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Gpu } from "../../engine/gpu.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { attachLora } from "../../model/lora/adapter.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { BATCH } from "../model/check_transformer.ts";
import { packedBytes, TINY_FAMILIES, TINY_MODELS } from "../model/tiny_model.ts";
import { openGpu } from "../support.ts";
import { differentiate, LORA, logitsOf } from "./adapted_model.ts";
import { checkAdapterGradients } from "./check_gradients.ts";
import { storedTiny } from "./stored_tiny.ts";

const flat = await openGpu({ variant: "flat" });
const tiled = await openGpu({ variant: "tiled" });
after(() => [flat, tiled].forEach((gpu) => gpu.destroy()));

const LLAMA = TINY_MODELS["like Llama, with grouped heads"]!;
const GPT2 = TINY_MODELS["like GPT-2"]!;
const QWEN3 = TINY_FAMILIES["like Qwen3, with normalized queries and keys of their own width"]!;

/** A base held in a format, and what its tensors stand for. */
async function packedBase(gpu: Gpu, config: ModelConfig, dtype: WeightDType) {
  const { stored, weights } = await storedTiny(gpu, config);
  const base = await loadTransformer(gpu, stored, { dtype });
  const weightOf = ({ label, shape, dtype: held }: Tensor): Promise<Float64Array<ArrayBuffer>> => {
    assert.notEqual(held, "u32");
    const packed = pack(weights.get(label)!, shape, held as WeightDType);
    return Promise.resolve(Float64Array.from(unpack(packed, shape, held as WeightDType)));
  };
  return { base, weightOf };
}

for (const gpu of [flat, tiled]) {
  for (const dtype of ["f16", "bf16", "int8", "int4"] as const) {
    test(`gradients flow through every block of a frozen ${dtype} base, with ${gpu.variant} kernels`, async () => {
      for (const config of gpu === flat ? [LLAMA, GPT2, QWEN3] : [LLAMA]) {
        const { base, weightOf } = await packedBase(gpu, config, dtype);
        const query = base.tensors.get("model.layers.0.self_attn.q_proj.weight")!;
        assert.equal(query.dtype, dtype);
        await checkAdapterGradients(gpu, base, { ...LORA, dropout: 0.2 }, weightOf);
      }
    });
  }
}

test("fresh adapters change no bit of a packed base", async () => {
  for (const dtype of ["bf16", "int8", "int4"] as const) {
    const { base } = await packedBase(flat, LLAMA, dtype);
    const model = attachLora(flat, base, LORA, { seed: 3 });
    assert.deepEqual(await logitsOf(flat, model), await logitsOf(flat, base));
  }
});

test("blocks of an int4 base that are computed again give the same bits", async () => {
  const { base } = await packedBase(flat, LLAMA, "int4");
  const fresh = () => attachLora(flat, base, { ...LORA, dropout: 0.3 }, { seed: 2 });
  const kept = await differentiate(flat, fresh(), false);
  const again = await differentiate(flat, fresh(), true);
  assert.equal(again.loss, kept.loss);
  assert.deepEqual(again.gradients, kept.gradients);
});

test("adapters of an int4 base learn, in the bytes of adapters alone", async () => {
  const { base } = await packedBase(flat, LLAMA, "int4");
  const model = attachLora(flat, base, LORA, { seed: 2 });
  const step = await new TrainingStep(flat, model, { ...BATCH, weightDecay: 0 }).compile();
  const bytes = packedBytes(model.parameters);
  assert.equal(step.describe().gradients.bytes.gradients, bytes);
  const losses: number[] = [];
  for (let i = 1; i <= 12; i++) {
    const at = { learningRate: 0.05, step: i, numBatches: i - 1 };
    losses.push((await step.run([BATCH], at)).loss);
  }
  step.destroy();
  assert.ok(losses.at(-1)! < 0.8 * losses[0]!, losses.join(", "));
});
