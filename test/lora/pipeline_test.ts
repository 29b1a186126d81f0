import assert from "node:assert/strict";
import { after, test } from "node:test";
import { exportHuggingFace } from "../../model/checkpoint/export_hugging_face.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { storedHuggingFaceModel } from "../../model/checkpoint/stored_hugging_face.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { attachLora, type LoraAdapter } from "../../model/lora/adapter.ts";
import { captureLora, loadAdapter } from "../../model/lora/adapter_weights.ts";
import type { LoraConfig } from "../../model/lora/config.ts";
import { exportPeft } from "../../model/lora/export_peft.ts";
import { mergedModel } from "../../model/lora/merge.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { drain, folderOf } from "../checkpoint/memory_files.ts";
import { BATCH } from "../model/check_transformer.ts";
import { TINY_FAMILIES, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { assertClose, openGpu } from "../support.ts";
import { LORA, logitsOf } from "./adapted_model.ts";
import { storedTiny } from "./stored_tiny.ts";

const gpu = await openGpu({ variant: "flat" });
after(() => gpu.destroy());

/** Merging rounds W + scale · BA once; the sums of products that follow differ in order. */
const MERGE_TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

const STEPS = 3;

/** Fine-tunes adapters of a stored model for a few steps. */
async function fineTune(
  stored: StoredModel,
  lora: LoraConfig,
): Promise<{ adapter: LoraAdapter; logits: Float32Array }> {
  const model = attachLora(gpu, await loadTransformer(gpu, stored), lora, { seed: 1 });
  const before = await logitsOf(gpu, model);
  const step = await new TrainingStep(gpu, model, { ...BATCH }).compile();
  for (let i = 1; i <= STEPS; i++) {
    await step.run([BATCH], { learningRate: 0.02, step: i, numBatches: i - 1 });
  }
  step.destroy();
  const logits = await logitsOf(gpu, model);
  assert.notDeepEqual(logits, before, "training must change the logits");
  return { adapter: await captureLora(gpu, model, lora), logits };
}

for (const [name, config] of Object.entries({ ...TINY_MODELS, ...TINY_FAMILIES })) {
  test(`a trained adapter of a model ${name} is the same from PEFT's files, and merged`, async () => {
    const stored = (await storedTiny(gpu, config)).stored;
    const { adapter, logits } = await fineTune(stored, { ...LORA, dropout: 0.1 });
    const files = folderOf(await drain(exportPeft(config, adapter)));
    const loaded = await loadAdapter(gpu, await loadTransformer(gpu, stored), files);
    assert.deepEqual(await logitsOf(gpu, loaded), logits);

    const merged = mergedModel(stored, adapter);
    const exported = exportHuggingFace({
      config,
      weights: async (label) => toFloat32(await merged.weights.get(label)!.read()),
      dtype: "F32",
    });
    const again = await storedHuggingFaceModel(folderOf(await drain(exported)));
    assertClose(await logitsOf(gpu, await loadTransformer(gpu, again)), logits, {
      what: "logits",
      ...MERGE_TOLERANCE,
    });
  });
}

test("an adapter of another model, and a model without adapters, are refused", async () => {
  const [llama, gpt2] = [
    TINY_MODELS["like Llama, with grouped heads"]!,
    TINY_MODELS["like GPT-2"]!,
  ];
  const model = tinyModel(gpu, llama);
  await assert.rejects(captureLora(gpu, model, LORA), {
    name: "RangeError",
    message:
      'Cannot capture adapters: the model must have "model.layers.0.self_attn.q_proj.lora_A.weight", got a model without it',
  });
  const { adapter } = await fineTune((await storedTiny(gpu, gpt2)).stored, LORA);
  const files = folderOf(await drain(exportPeft(gpt2, adapter)));
  await assert.rejects(loadAdapter(gpu, model, files), {
    name: "RangeError",
    message: /must be matrices of the model's blocks .* got "transformer.h.0.attn.c_attn"$/,
  });
  const stored = (await storedTiny(gpu, llama)).stored;
  assert.throws(() => mergedModel(stored, { ...adapter, config: LORA }), {
    name: "RangeError",
    message:
      'Cannot merge an adapter: "model.layers.0.self_attn.k_proj.lora_B.weight" must have 12 values, got 24',
  });
});
