import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Gpu, GpuOptions } from "../../engine/gpu.ts";
import { Tape } from "../../engine/tape.ts";
import { CachedInputs } from "../../model/generate/cached_inputs.ts";
import { KvCache } from "../../model/generate/kv_cache.ts";
import type { ForwardInputs } from "../../model/transformer/inputs.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { TINY_FAMILIES, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { openGpu } from "../support.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  flat: { variant: "flat" },
  tiled: { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
after(() => gpus.forEach(([, gpu]) => gpu.destroy()));

const MODELS = { ...TINY_MODELS, ...TINY_FAMILIES };

/** Names of the dispatches of a forward pass over a cache. */
function record(
  gpu: Gpu,
  model: Transformer,
  { numRows = 1, seqLen = 1, change = (inputs: ForwardInputs) => inputs } = {},
): string[] {
  const cache = new KvCache(gpu, model.config, { numRows, capacity: 16 });
  const inputs = new CachedInputs(gpu, cache, seqLen);
  const tape = new Tape(gpu);
  model.hidden(tape, change(inputs));
  inputs.destroy();
  cache.destroy();
  return tape.dispatches.map(({ kernel }) => kernel.name);
}

/**
 * Dispatches of two blocks, and of what stands around them: the embedding, learned positions and
 * their sum, the last norm. A norm and three biases are one buffer too many for a dispatch.
 */
const NUM_DISPATCHES: Readonly<Record<string, number>> = {
  "like Llama, with grouped heads": 2 * 5 + 2,
  "like GPT-2": 2 * 6 + 4,
  "with dropout, interleaved pairs and an output of its own": 2 * 6 + 2,
  "with learned positions, grouped heads, dropout and an output of its own": 2 * 5 + 4,
  "like Mistral, with a sliding window": 2 * 5 + 2,
  "like Llama 3, with stretched rotary frequencies": 2 * 5 + 2,
  "like Qwen2, with biases of queries, keys and values": 2 * 6 + 2,
  "like Qwen3, with normalized queries and keys of their own width": 2 * 5 + 2,
};

for (const [name, config] of Object.entries(MODELS)) {
  for (const [way, gpu] of gpus) {
    test(`a step of a model ${name} takes ${NUM_DISPATCHES[name]} dispatches besides attention, ${way}`, () => {
      const all = record(gpu, tinyModel(gpu, config));
      const attention = all.filter((one) => /^decodeAttention|^combineSplits/.test(one));
      assert.equal(all.length - attention.length, NUM_DISPATCHES[name], all.join(" "));
    });
  }
}

test("up to 8 rows or tokens are fused, and more are not", () => {
  const [, gpu] = gpus[0]!;
  const model = tinyModel(gpu, MODELS["like Llama, with grouped heads"]!);
  const isFused = (sizes: Parameters<typeof record>[2]) =>
    record(gpu, model, sizes).includes("cacheHeads");
  assert.ok(isFused({ numRows: 8 }));
  assert.ok(isFused({ numRows: 2, seqLen: 4 }));
  assert.ok(!isFused({ numRows: 9 }));
  assert.ok(!isFused({ numRows: 3, seqLen: 3 }));
});

test("norms of wide rows stand alone on software adapters, and nowhere else", () => {
  const config = { ...MODELS["like Llama, with grouped heads"]!, dModel: 260 };
  const counts = gpus.map(([, gpu]) => {
    const names = record(gpu, Transformer.create(gpu, config));
    return names.filter((name) => name === "rmsNormForward").length;
  });
  assert.deepEqual(counts, [2 * 2 + 1, 1]);
});

test("inputs that gradients may flow through are not fused", () => {
  const [, gpu] = gpus[0]!;
  const model = tinyModel(gpu, MODELS["like Llama, with grouped heads"]!);
  const change = (inputs: ForwardInputs): ForwardInputs => {
    const { tokens, positions } = inputs;
    return { tokens, positions, attend: inputs.attend.bind(inputs) };
  };
  const names = record(gpu, model, { change });
  assert.ok(!names.some((name) => /^fusedProjection|^cacheHeads/.test(name)), names.join(" "));
});

test("weights of a block that are stored in several ways, and adapters, are not fused", () => {
  const [, gpu] = gpus[0]!;
  const config = MODELS["like Llama, with grouped heads"]!;
  const { tensors, parameters } = tinyModel(gpu, config);
  const label = "model.layers.0.self_attn.k_proj.weight";
  const { shape } = tensors.get(label)!;
  const mixed = new Map(tensors).set(label, gpu.tensor(shape, { label, dtype: "bf16" }));
  const count = (model: Transformer) =>
    record(gpu, model).filter((name) => name === "cacheHeads").length;
  assert.equal(count(new Transformer(gpu, config, { tensors: mixed, parameters })), 1);
  const lora = {
    a: gpu.parameter([2, config.dModel], { label: "a" }),
    scale: 1,
    dropout: 0,
    b: gpu.parameter([config.dModel, 2], { label: "b" }),
  };
  const loraOf = (module: string) =>
    module === "model.layers.1.self_attn.o_proj" ? lora : undefined;
  assert.equal(count(new Transformer(gpu, config, { tensors, parameters, loraOf })), 1);
});
