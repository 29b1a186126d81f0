import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { exportHuggingFace, type ModelExport } from "../../model/checkpoint/export_hugging_face.ts";
import { decodeSafetensors } from "../../model/checkpoint/safetensors.ts";
import { storedHuggingFaceModel } from "../../model/checkpoint/stored_hugging_face.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { countingWeights, FAMILIES, GPT2, LLAMA } from "./arbitrary_model.ts";
import { drain, folderOf, jsonOf, readAll } from "./memory_files.ts";
import { encodeCheckpoint } from "./whole_checkpoint.ts";

const INDEX = "model.safetensors.index.json";

function exportOf(change: Partial<ModelExport> = {}): ModelExport & { readonly asked: string[] } {
  const { config = LLAMA } = change;
  const weights = countingWeights(config);
  const asked: string[] = [];
  return {
    config,
    dtype: "F32",
    ...change,
    asked,
    weights: (label) => {
      asked.push(label);
      return Promise.resolve(weights.get(label)!);
    },
  };
}

/** SHA-256 of names and contents of a checkpoint of each family; other bytes would be another format. */
const GOLDEN: Readonly<Record<string, string>> = {
  llama: "47f051d2b90ee6551be473daa2d5d78c7ca3865d429cf516f021ea03f728b18c",
  mistral: "66cda7823650ff4739ee7616f9aec5c03c264ed272987aeb8edf42ac2cc764dd",
  qwen2: "9ff8d3eab0073b37ef99d23d387ae112870dc194a209c1149141b7b0555773fe",
  qwen3: "f05ec1e88e8ef61610b6256e389505f4593542de974e49def35adf81e3684aa7",
  gpt2: "7c77b9319b93a0a737f09b2fc46972780355ccabbcdd70e6ace0b4a4b9cb9278",
  tenure: "54095ec7f3299696ff586605fae00bd210b615dba31227a045ba1527ead06852",
};

test("checkpoints of every family have the bytes that they always had", async () => {
  for (const [family, config] of FAMILIES) {
    const weights = countingWeights(config);
    const files = await encodeCheckpoint({
      config,
      weights,
      tokenizer: { model: { type: "BPE", vocab: { a: 0 } }, added_tokens: [] },
      generation: { beginToken: 0, endTokens: [0] },
      trainer: {
        step: 40,
        epoch: 0.25,
        best: { metric: 1.5, checkpoint: "checkpoint-30" },
        log: [{ step: 40, loss: 1.25 }],
        state: { seed: "17" },
        optimizer: { m: weights, v: weights },
      },
    });
    const sum = createHash("sha256");
    for (const [name, bytes] of files) sum.update(name).update(bytes);
    assert.equal(sum.digest("hex"), GOLDEN[family], family);
  }
});

test("exportHuggingFace() asks for each weight once, and for none before it is drained", async () => {
  for (const config of [GPT2, LLAMA]) {
    const model = exportOf({ config, maxShardBytes: 300 });
    const files = exportHuggingFace(model);
    assert.deepEqual(model.asked, []);
    await drain(files);
    const labels = Array.from(weightShapes(config), ({ label }) => label);
    assert.equal(model.asked.length, labels.length);
    assert.deepEqual(new Set(model.asked), new Set(labels));
  }
});

test("exportHuggingFace() yields a tensor at a time", async () => {
  const model = exportOf();
  const file = exportHuggingFace(model).find(({ name }) => name === "model.safetensors")!;
  let chunks = 0;
  for await (const _ of file.chunks) {
    assert.equal(model.asked.length, chunks); // the header comes before the first weight
    chunks++;
  }
  assert.equal(chunks, 1 + model.asked.length);
});

test("exportHuggingFace() fills shards up to their size, and lists them last", async () => {
  const max = 200;
  const files = await drain(exportHuggingFace(exportOf({ maxShardBytes: max })));
  const names = [...files.keys()];
  const shards = names.filter((name) => name.endsWith(".safetensors"));
  assert.equal(names.at(-1), INDEX);
  assert.equal(shards[0], `model-00001-of-0000${shards.length}.safetensors`);
  const sizes = shards.map((name) => {
    const { tensors } = decodeSafetensors(files.get(name)!, name);
    return Array.from(tensors.values(), ({ bytes }) => bytes.length);
  });
  for (const [i, shard] of sizes.entries()) {
    const size = shard.reduce((a, b) => a + b);
    assert.ok(size <= max || shard.length === 1, `shard ${i} has ${size} bytes`);
  }
  const { metadata, weight_map: map } = jsonOf(files, INDEX);
  assert.deepEqual(metadata, { total_size: sizes.flat().reduce((a, b) => a + b) });
  assert.equal(Object.keys(map!).length, sizes.flat().length);
  assert.deepEqual(Object.keys(map!), Object.keys(map!).toSorted());
});

test("exportHuggingFace() writes as many files as the size of shards asks for", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2000 }), async (maxShardBytes) => {
      const files = await drain(exportHuggingFace(exportOf({ dtype: "F16", maxShardBytes })));
      assert.equal(files.has("model.safetensors"), !files.has(INDEX));
      assert.equal(files.has("model.safetensors"), maxShardBytes >= 316 * 2); // 316 weights
      const read = await readAll(await storedHuggingFaceModel(folderOf(files)));
      assert.equal(read.length, 21);
    }),
    { numRuns: 40 },
  );
});

test("exportHuggingFace() names a weight that is too large for its type, or misshapen", async () => {
  const label = "model.layers.1.mlp.up_proj.weight";
  const changed = (values: Float32Array<ArrayBuffer>): ModelExport => {
    const model = exportOf({ dtype: "F16" });
    return {
      ...model,
      weights: (name) => (name === label ? Promise.resolve(values) : model.weights(name)),
    };
  };
  const large = changed(new Float32Array(24).fill(1e5));
  await assert.rejects(drain(exportHuggingFace(large)), {
    name: "RangeError",
    message: `Cannot export weight "${label}": Cannot encode values: each must be within the range of F16, got 100000; use BF16 or F32`,
  });
  await assert.rejects(drain(exportHuggingFace(changed(new Float32Array(23)))), {
    name: "RangeError",
    message: `Cannot export a model: weight "${label}" must have shape [6, 4], got 23 values`,
  });
});

test("exportHuggingFace() refuses what does not fit together before it reads a weight", () => {
  const cases: readonly (readonly [Partial<ModelExport>, RegExp])[] = [
    [{ maxShardBytes: 0 }, /maxShardBytes must be positive, got 0$/],
    [{ maxShardBytes: Number.NaN }, /maxShardBytes must be positive, got NaN$/],
    [{ config: { ...LLAMA, numKvHeads: 3 } }, /numKvHeads must divide/],
    [{ tokenizer: { model: { vocab: { a: 7 } } } }, /vocabSize 7, got 7 for "a"$/],
    [{ tokenizerConfig: { a: Number.NaN } }, /must be a finite number.* got NaN$/],
    [{ generation: { endTokens: [7] } }, /vocabSize 7, got 7$/],
    [{ generation: { endTokens: [], padToken: -1 } }, /vocabSize 7, got -1$/],
    [{ generation: { endTokens: [], topP: 2 } }, /topP must lie in \[0, 1\], got 2$/],
  ];
  for (const [change, message] of cases) {
    const model = exportOf(change);
    assert.throws(() => exportHuggingFace(model), { message });
    assert.deepEqual(model.asked, []);
  }
});
