import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Gpu } from "../../engine/gpu.ts";
import { attachLora, loraLabels } from "../../model/lora/adapter.ts";
import { adaptedModules, type LoraConfig, loraScale } from "../../model/lora/config.ts";
import { mergeLora } from "../../model/lora/merge.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { BATCH } from "../model/check_transformer.ts";
import { packedBytes, TINY_FAMILIES, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { assertClose, openGpu } from "../support.ts";
import { adaptedModel, differentiate, LORA, logitsOf } from "./adapted_model.ts";
import { checkAdapterGradients } from "./check_gradients.ts";

const flat = await openGpu({ variant: "flat" });
const tiled = await openGpu({ variant: "tiled" });
after(() => [flat, tiled].forEach((gpu) => gpu.destroy()));

/** Merging rounds W + scale · BA once; the sums of products that follow differ in order. */
const MERGE_TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

const ALL = { ...TINY_MODELS, ...TINY_FAMILIES };
const LLAMA = ALL["like Llama, with grouped heads"]!;
const GPT2 = ALL["like GPT-2"]!;

/** Checks a tiny model with adapters; its own weights are f32. */
function checkAdapted(gpu: Gpu, config: ModelConfig, lora: LoraConfig): Promise<void> {
  return checkAdapterGradients(gpu, tinyModel(gpu, config), lora);
}

for (const [name, config] of Object.entries(ALL)) {
  test(`adapters of a model ${name} have the gradients of float64, in every block`, () =>
    checkAdapted(flat, config, LORA));
}

for (const gpu of [flat, tiled]) {
  for (const [name, config] of [
    ["Llama", LLAMA],
    ["GPT-2", GPT2],
  ] as const) {
    test(`adapters of ${name} with dropout and rsLoRA have the gradients of float64, with ${gpu.variant} kernels`, () =>
      checkAdapted(gpu, config, { ...LORA, dropout: 0.4, rsLora: true }));

    test(`fresh adapters of ${name} change no bit, with ${gpu.variant} kernels`, async () => {
      const base = tinyModel(gpu, config);
      const model = attachLora(gpu, base, { ...LORA, dropout: 0.5 }, { seed: 3 });
      assert.deepEqual(await logitsOf(gpu, model), await logitsOf(gpu, base));
    });
  }
}

test("modules with ranks and alphas of their own have the gradients of float64", () =>
  checkAdapted(flat, LLAMA, {
    ...LORA,
    targetModules: ["q_proj", "down_proj"],
    perModule: { "model.layers.1.mlp.down_proj": { rank: 5, alpha: 2 } },
  }));

test("blocks that are computed again draw the same masks, and give the same bits", async () => {
  for (const config of [LLAMA, GPT2]) {
    // A model for each way, since gradients add up.
    const fresh = () =>
      adaptedModel(flat, { ...config, dropout: 0.2 }, { ...LORA, dropout: 0.3 }).model;
    const kept = await differentiate(flat, fresh(), false);
    const again = await differentiate(flat, fresh(), true);
    assert.equal(again.loss, kept.loss);
    assert.deepEqual(again.gradients, kept.gradients);
  }
});

test("dropout of adapters differs from block to block, and is none outside of training", async () => {
  const { base, model, values } = adaptedModel(flat, LLAMA);
  const dropped = attachLora(flat, base, { ...LORA, dropout: 0.5 }, { values });
  assert.deepEqual(await logitsOf(flat, dropped), await logitsOf(flat, model));
  const [{ loss: a }, { loss: b }] = [
    await differentiate(flat, model),
    await differentiate(flat, dropped),
  ];
  assert.notEqual(a, b);
});

test("training moves adapters alone, and lowers the loss", async () => {
  const base = tinyModel(flat, LLAMA);
  const before = await Promise.all([...base.tensors.values()].map((tensor) => flat.read(tensor)));
  const model = attachLora(flat, base, LORA);
  for (const { needsGradient } of model.tensors.values()) assert.equal(needsGradient, false);
  const step = new TrainingStep(flat, model, { numRows: 2, seqLen: 9, weightDecay: 0 });
  const adapterBytes = packedBytes(model.parameters);
  assert.equal(step.describe().gradients.bytes.gradients, adapterBytes);
  assert.equal(step.describe().update.bytes.optimizer, 2 * adapterBytes);
  await step.compile();
  const losses: number[] = [];
  for (let i = 1; i <= 12; i++) {
    const at = { learningRate: 0.05, step: i, numBatches: i - 1 };
    losses.push((await step.run([BATCH], at)).loss);
  }
  step.destroy();
  assert.ok(losses.at(-1)! < 0.8 * losses[0]!, losses.join(", "));
  const now = await Promise.all([...base.tensors.values()].map((tensor) => flat.read(tensor)));
  assert.deepEqual(now, before);
  for (const parameter of model.parameters) {
    const values = await flat.read(parameter);
    assert.ok(
      values.some((value) => value !== 0),
      `${parameter.label} has not moved`,
    );
  }
});

test("a merged model has the logits of the adapted one", async () => {
  for (const config of Object.values(ALL)) {
    const { base, model, values } = adaptedModel(flat, config, LORA);
    const weights = new Map<string, Float32Array<ArrayBuffer>>();
    for (const [label, tensor] of base.tensors) weights.set(label, await flat.read(tensor));
    for (const module of adaptedModules(config, LORA)) {
      const labels = loraLabels(module);
      const [a, b] = [values.get(labels.a)!, values.get(labels.b)!];
      const adapter = { a, b, scale: loraScale(LORA) };
      const label = `${module.name}.weight`;
      weights.set(label, mergeLora(weights.get(label)!, adapter, module));
    }
    const merged = Transformer.create(flat, config, { values: weights });
    assertClose(await logitsOf(flat, merged), await logitsOf(flat, model), {
      what: "logits",
      ...MERGE_TOLERANCE,
    });
  }
});

test("mergeLora() of whole numbers is exact", () => {
  const merged = mergeLora(
    Float32Array.of(1, 2, 3, 4, 5, 6),
    { a: Float32Array.of(1, 0, 2, 0, 1, 1), b: Float32Array.of(1, 2, 3, 4), scale: 0.5 },
    { dOut: 2, dIn: 3 },
  );
  // B · A = [[1, 2, 4], [3, 4, 10]]
  assert.deepEqual(merged, Float32Array.of(1.5, 3, 5, 5.5, 7, 11));
});

test("fresh adapters depend on the seed, A within ±1 / √dIn and B zero", async () => {
  const read = async (seed: number) => {
    const { parameters } = attachLora(flat, tinyModel(flat, LLAMA), LORA, { seed });
    return Promise.all(parameters.map((parameter) => flat.read(parameter)));
  };
  const [one, same, other] = [await read(1), await read(1), await read(2)];
  assert.deepEqual(one, same);
  assert.notDeepEqual(one, other);
  const modules = adaptedModules(LLAMA, LORA);
  for (const [index, { dIn }] of modules.entries()) {
    const [a, b] = [one[2 * index]!, one[2 * index + 1]!];
    assert.ok(a.every((value) => Math.abs(value) <= 1 / Math.sqrt(dIn)));
    assert.ok(new Set(a).size > a.length / 2, "A must differ from element to element");
    assert.ok(b.every((value) => value === 0));
  }
});

test("values that do not fit, and a base with adapters, are named", () => {
  const { base, model, values } = adaptedModel(flat, LLAMA);
  const label = "model.layers.0.self_attn.q_proj.lora_A.weight";
  for (const [changed, message] of [
    [
      new Map([...values].filter(([key]) => key !== label)),
      `"${label}" must have shape [3, 8], got none`,
    ],
    [
      new Map([...values, [label, new Float32Array(5)]]),
      `"${label}" must have shape [3, 8], got 5 values`,
    ],
    [
      new Map([...values, ["x.lora_A.weight", new Float32Array(5)]]),
      'adapters must belong to the matrices that are adapted, got "x.lora_A.weight"',
    ],
  ] as const) {
    assert.throws(() => attachLora(flat, base, LORA, { values: changed }), {
      name: "RangeError",
      message: `Cannot adapt a model: ${message}`,
    });
  }
  assert.throws(() => attachLora(flat, model, LORA), {
    name: "TypeError",
    message: /the base must have no adapters, got some/,
  });
});
