import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Gpu } from "../../engine/gpu.ts";
import { randomnessOf } from "../../engine/ops/dropout.ts";
import { attachLora, loraLabels } from "../../model/lora/adapter.ts";
import { adaptedModules, type LoraConfig, loraScale, strengthOf } from "../../model/lora/config.ts";
import { mergeLora } from "../../model/lora/merge.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { BATCH } from "../model/check_transformer.ts";
import { TINY_FAMILIES, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { mergedReference, type ReferenceAdapter } from "../reference/lora.ts";
import { transformerReference } from "../reference/transformer.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { adaptedModel, differentiate, LORA, logitsOf, SEED, STEP } from "./adapted_model.ts";

const flat = await openGpu({ variant: "flat" });
const tiled = await openGpu({ variant: "tiled" });
after(() => [flat, tiled].forEach((gpu) => gpu.destroy()));

// Some 80 roundings of f32 between an adapter and the loss of a few dozen tokens.
const LOSS_TOLERANCE = { rtol: 4e-6, atol: 0 };
/** Of the sum of absolute values: terms of either sign cancel. */
const GRADIENT_TOLERANCE = 1e-5;
/** Merging rounds W + scale · BA once; the sums of products that follow differ in order. */
const MERGE_TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

/** Where dropout of each module is keyed, behind those of sublayers. */
const MODULES = [
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.o_proj",
  "mlp.gate_proj",
  "mlp.up_proj",
  "mlp.down_proj",
];

const ALL = { ...TINY_MODELS, ...TINY_FAMILIES };
const LLAMA = ALL["like Llama, with grouped heads"]!;
const GPT2 = ALL["like GPT-2"]!;

/** Checks loss and every adapter's gradient, along one direction, against float64. */
async function checkGradients(gpu: Gpu, config: ModelConfig, lora: LoraConfig): Promise<void> {
  const { base, model, values } = adaptedModel(gpu, config, lora);
  const { loss, gradients } = await differentiate(gpu, model);
  const entries = await Promise.all(
    Array.from(base.tensors, async ([label, tensor]) => {
      return [label, Float64Array.from(await gpu.read(tensor))] as const;
    }),
  );
  const frozen = Object.fromEntries(entries);
  const randomness = randomnessOf({ seed: SEED, step: STEP });
  const lossWith = (changed?: string, value?: Float64Array): number => {
    const valueOf = (label: string) =>
      label === changed ? value! : Float64Array.from(values.get(label)!);
    const adapters = new Map<string, ReferenceAdapter>();
    const merged: Record<string, Float64Array> = { ...frozen };
    for (const module of adaptedModules(config, lora)) {
      const { a, b } = loraLabels(module);
      const scale = loraScale({ ...lora, ...strengthOf(lora, module.name) });
      const adapter = { a: valueOf(a), b: valueOf(b), scale };
      const [, block, name] = /layers\.(\d+)\.(.*)$/.exec(module.name)!;
      const id = (Number(block) + 1) * 2 ** 16 + MODULES.indexOf(name!);
      const label = `${module.name}.weight`;
      if (lora.dropout > 0) {
        adapters.set(module.name, { ...adapter, dropout: { rate: lora.dropout, id } });
      } else {
        merged[label] = mergedReference(frozen[label]!, adapter, module.dIn);
      }
    }
    return transformerReference(config, merged, { batch: BATCH, randomness, adapters }).loss;
  };
  assertClose([loss], [lossWith()], { what: "loss", ...LOSS_TOLERANCE });
  for (const [index, { label }] of model.parameters.entries()) {
    const gradient = gradients[index]!;
    const direction = uniform(gradient.length, 100 + index);
    const derivative = directionalDerivative(
      (value) => lossWith(label, value),
      Float64Array.from(values.get(label)!),
      direction,
    );
    const size = dot(gradient.map(Math.abs), direction.map(Math.abs));
    assert.ok(size > 0, `d(${label}) must not vanish`);
    assertClose([dot(gradient, direction)], [derivative], {
      what: `d(${label})`,
      rtol: 0,
      atol: GRADIENT_TOLERANCE * Math.max(1, size),
    });
  }
}

for (const [name, config] of Object.entries(ALL)) {
  test(`adapters of a model ${name} have the gradients of float64, in every block`, () =>
    checkGradients(flat, config, LORA));
}

for (const gpu of [flat, tiled]) {
  for (const [name, config] of [
    ["Llama", LLAMA],
    ["GPT-2", GPT2],
  ] as const) {
    test(`adapters of ${name} with dropout and rsLoRA have the gradients of float64, with ${gpu.variant} kernels`, () =>
      checkGradients(gpu, config, { ...LORA, dropout: 0.4, rsLora: true }));

    test(`fresh adapters of ${name} change no bit, with ${gpu.variant} kernels`, async () => {
      const base = tinyModel(gpu, config);
      const model = attachLora(gpu, base, { ...LORA, dropout: 0.5 }, { seed: 3 });
      assert.deepEqual(await logitsOf(gpu, model), await logitsOf(gpu, base));
    });
  }
}

test("modules with ranks and alphas of their own have the gradients of float64", () =>
  checkGradients(flat, LLAMA, {
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
  const adapterBytes = model.parameters.reduce(
    (sum, { shape: [m = 0, n = 0] }) => sum + 4 * m * n,
    0,
  );
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
