import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { storedLlama2cModel } from "../../model/checkpoint/llama2c.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";

const FILE = "model.bin";
const STORIES = new URL("../../../shared/fixtures/stories260K/stories260K.bin", import.meta.url);
const skip = existsSync(STORIES)
  ? false
  : "needs ../shared/fixtures/stories260K beside the repository, which is not there";

/** Two blocks, two heads of four, one of keys. */
const SIZES = { dim: 8, hidden: 3, layers: 2, heads: 2, kvHeads: 1, vocab: 5, context: 6 };

/** A file of those sizes with the values 0, 1, 2, … in its order. */
function countingFile(isTied: boolean): Uint8Array<ArrayBuffer> {
  const { dim, hidden, layers, heads, kvHeads, vocab, context } = SIZES;
  const kv = (dim / heads) * kvHeads;
  const perBlock = 2 * dim + 2 * dim * dim + 2 * kv * dim + 3 * dim * hidden;
  const tables = (context * dim) / heads;
  const outside = (isTied ? 1 : 2) * vocab * dim + dim;
  const values = Float32Array.from({ length: layers * perBlock + tables + outside }, (_, i) => i);
  const header = Int32Array.of(
    dim,
    hidden,
    layers,
    heads,
    kvHeads,
    isTied ? vocab : -vocab,
    context,
  );
  const bytes = new Uint8Array(header.byteLength + values.byteLength);
  bytes.set(new Uint8Array(header.buffer));
  bytes.set(new Uint8Array(values.buffer), header.byteLength);
  return bytes;
}

async function valuesOf(bytes: Uint8Array<ArrayBuffer>): Promise<Map<string, Float32Array>> {
  const { weights } = await storedLlama2cModel(bytesSource(bytes, FILE));
  const values = new Map<string, Float32Array>();
  for (const [label, weight] of weights) values.set(label, toFloat32(await weight.read()));
  return values;
}

test("storedLlama2cModel() finds every weight in the order of the file", async () => {
  const values = await valuesOf(countingFile(false));
  const first = (label: string) => values.get(label)![0];
  // 40 embeddings, 2 × 8 norms, 2 × 64 queries, 2 × 32 keys, 2 × 32 values, 2 × 64 outputs, ...
  assert.equal(first("model.embed_tokens.weight"), 0);
  assert.equal(first("model.layers.0.input_layernorm.weight"), 40);
  assert.equal(first("model.layers.1.input_layernorm.weight"), 48);
  assert.equal(first("model.layers.0.self_attn.q_proj.weight"), 56);
  assert.equal(first("model.layers.1.self_attn.k_proj.weight"), 216);
  assert.equal(first("model.layers.0.self_attn.v_proj.weight"), 248);
  assert.equal(first("model.layers.0.self_attn.o_proj.weight"), 312);
  assert.equal(first("model.layers.0.post_attention_layernorm.weight"), 440);
  assert.equal(first("model.layers.0.mlp.gate_proj.weight"), 456);
  assert.equal(first("model.layers.0.mlp.down_proj.weight"), 504);
  assert.equal(first("model.layers.0.mlp.up_proj.weight"), 552);
  assert.equal(first("model.norm.weight"), 600);
  assert.equal(first("lm_head.weight"), 608 + 24); // behind the tables of cosines and sines
});

test("storedLlama2cModel() orders rows of queries and keys for heads that rotate in halves", async () => {
  const values = await valuesOf(countingFile(true));
  const rows = (label: string) => Array.from(values.get(label)!).filter((_, i) => i % 8 === 0);
  const file = (begin: number, order: number[]) => order.map((row) => begin + 8 * row);
  assert.deepEqual(
    rows("model.layers.0.self_attn.q_proj.weight"),
    file(56, [0, 2, 1, 3, 4, 6, 5, 7]),
  );
  assert.deepEqual(rows("model.layers.0.self_attn.k_proj.weight"), file(184, [0, 2, 1, 3]));
  assert.deepEqual(rows("model.layers.0.self_attn.v_proj.weight"), file(248, [0, 1, 2, 3]));
});

test("a negative vocabulary says that the output layer is not the embedding", async () => {
  for (const isTied of [true, false]) {
    const { config } = await storedLlama2cModel(bytesSource(countingFile(isTied), FILE));
    assert.equal(config.tieEmbeddings, isTied);
    assert.equal(config.vocabSize, SIZES.vocab);
  }
});

test(
  "stories260K is a Llama of five blocks, every weight in the range of a trained one",
  { skip },
  async () => {
    const bytes = Uint8Array.from(await readFile(STORIES));
    const { config, weights } = await storedLlama2cModel(bytesSource(bytes, "stories260K.bin"));
    const { dModel, dHidden, numBlocks, numHeads, numKvHeads, headDim, vocabSize, maxSeqLen } =
      config;
    assert.deepEqual(
      { dModel, dHidden, numBlocks, numHeads, numKvHeads, headDim, vocabSize, maxSeqLen },
      {
        dModel: 64,
        dHidden: 172,
        numBlocks: 5,
        numHeads: 8,
        numKvHeads: 4,
        headDim: 8,
        vocabSize: 512,
        maxSeqLen: 512,
      },
    );
    assert.deepEqual({ eps: config.eps, theta: config.theta }, { eps: 1e-5, theta: 10_000 });
    assert.deepEqual(
      [...weights.keys()],
      Array.from(weightShapes(config), ({ label }) => label),
    );
    for (const [label, weight] of weights) {
      const values = toFloat32(await weight.read());
      const size = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
      // Gains are near 1; matrices are far below. Tables of cosines would be 0.7.
      const [low, high] = label.includes("norm") ? [0.3, 6] : [0.02, 0.5];
      assert.ok(size > low && size < high, `${label}: ${size}`);
    }
  },
);

const REFUSED: readonly (readonly [
  string,
  (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>,
  RegExp,
])[] = [
  ["half a header", (bytes) => bytes.subarray(0, 20), /at least 28 bytes, got 20$/],
  [
    "a file that is cut",
    (bytes) => bytes.subarray(0, -4),
    /^Cannot read "model.bin": it must have the \d+ bytes of a model of dim 8, 2 layers and 5 tokens, got \d+$/,
  ],
  [
    "a file of a later version",
    (bytes) => bytes.with(0, 0x32).with(1, 0x34).with(2, 0x6b).with(3, 0x61),
    /version 0, got a later one$/,
  ],
  ["no blocks", (bytes) => bytes.with(8, 0), /numBlocks must be a positive integer, got 0$/],
  [
    "heads that do not divide the width",
    (bytes) => bytes.with(12, 3),
    /headDim must be a positive integer, got 2\.66/,
  ],
];

for (const [what, change, message] of REFUSED) {
  test(`storedLlama2cModel() refuses ${what}`, async () => {
    const source = bytesSource(change(countingFile(true)), FILE);
    await assert.rejects(storedLlama2cModel(source), { name: "SyntaxError", message });
  });
}

test("storedLlama2cModel() of any header is a typed error or a model that the file holds", async () => {
  const whole = countingFile(true);
  const field = fc.oneof(fc.integer(), fc.integer({ min: -9, max: 9 }));
  await fc.assert(
    fc.asyncProperty(fc.nat(6), field, fc.nat(whole.length), async (at, value, length) => {
      const bytes = whole.slice();
      new DataView(bytes.buffer).setInt32(4 * at, value, true);
      for (const file of [bytes, bytes.subarray(0, length)]) {
        try {
          const { weights } = await storedLlama2cModel(bytesSource(file, FILE));
          for (const weight of weights.values()) toFloat32(await weight.read());
        } catch (error) {
          assert.ok(error instanceof SyntaxError, String(error));
          assert.match(error.message, /^Cannot read "model\.bin": .*, got /);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
