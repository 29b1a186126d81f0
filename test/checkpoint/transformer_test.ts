import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { openGpu } from "../support.ts";
import { bitsOf, GPT2, LLAMA } from "./arbitrary_model.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./whole_checkpoint.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** Every weight of a model, from the device. */
async function weightsOf({
  parameters,
}: Transformer): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const parameter of parameters) weights.set(parameter.label, await gpu.read(parameter));
  return weights;
}

const CONFIGS: readonly (readonly [string, ModelConfig])[] = [
  ["a Llama", LLAMA],
  ["a GPT-2", GPT2],
  ["a model of no family", { ...LLAMA, rotaryLayout: "interleaved", mlp: "silu", bias: "all" }],
];

for (const [what, config] of CONFIGS) {
  test(`${what} on the device has the same bits after a checkpoint`, async () => {
    const weights = await weightsOf(Transformer.create(gpu, config, { seed: 5 }));
    const read = await decodeCheckpoint(await encodeCheckpoint({ config, weights }));
    const model = Transformer.create(gpu, read.config, { values: read.weights });
    assert.deepEqual(bitsOf(await weightsOf(model)), bitsOf(weights));
    assert.ok(new Set(weights.get("model.embed_tokens.weight")).size > 20, "weights are random");
  });
}
