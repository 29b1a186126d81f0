import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import { storedGgufModel } from "../../model/checkpoint/gguf/stored_model.ts";
import { FILE } from "./gguf_files.ts";
import {
  float32,
  type Pair,
  PAIRS,
  rawFile,
  type RawTensor,
  rawTensors,
  string,
  uint32,
} from "./gguf_raw.ts";

const SMALL: RawTensor = { name: "a", dims: [8], type: 0, data: new Uint8Array(32) };

const without = (key: string) => PAIRS.filter(([name]) => name !== key);
const withPair = (pair: Pair) => [...without(pair[0]), pair];
const model = (pairs: readonly Pair[], change: (tensors: RawTensor[]) => RawTensor[] = (t) => t) =>
  rawFile(pairs, change(rawTensors("Q8_0")));

/** What breaks a rule, and what the error must say behind the name of the file. */
const REFUSED: readonly (readonly [string, Uint8Array<ArrayBuffer>, RegExp])[] = [
  ["an empty file", new Uint8Array(0), /a GGUF file must end within 0 bytes, got byte 4$/],
  ["another magic", rawFile([]).with(0, 0x67), /begin with "GGUF", got 0x46554767$/],
  ["version 1", rawFile([], [], { version: 1 }), /version must be 2 or 3, little-endian, got 1$/],
  ["big-endian", rawFile([], [], { version: 3 << 24 }), /little-endian, got 50331648$/],
  ["2^61 tensors", rawFile([]).fill(0x20, 15, 16), /number of tensors must be below 2\^53, got 23/],
  [
    "more tensors than fit",
    rawFile([]).fill(9, 8, 9),
    /number of tensors must be at most 0, got 9/,
  ],
  [
    "more pairs than fit",
    rawFile([]).fill(9, 16, 17),
    /pairs of metadata must be at most 4096 .*, got 9$/,
  ],
  [
    "a long key",
    rawFile([uint32("a", 1)]).fill(0xff, 24, 25),
    /key 0 of the metadata must be at most 32, got 255/,
  ],
  ["a key twice", rawFile([uint32("a", 1), uint32("a", 2)]), /keys must be unique, got "a"$/],
  [
    "a key that is no UTF-8",
    rawFile([uint32("a", 1)]).fill(0xff, 32, 33),
    /key 0 .* must be UTF-8/,
  ],
  ["an unknown type", rawFile([["a", 13, 1]]), /the value of "a" must be of type 0 to 12, got 13$/],
  ["an array of arrays", rawFile([["a", 9, 9]]), /"a" must not nest arrays/],
  [
    "a long array",
    rawFile([["a", 9, ["x"]]]).fill(0xff, 42, 43),
    /length of "a" must be at most 1, got 65281$/,
  ],
  [
    "alignment 3",
    rawFile([uint32("general.alignment", 3)]),
    /"general.alignment" must be a power of two, got 3$/,
  ],
  ["a tensor twice", rawFile([], [SMALL, SMALL]), /names of tensors must be unique, got "a"$/],
  ["no axes", rawFile([], [{ ...SMALL, dims: [] }]), /tensor "a" must have 1 to 4 axes, got 0$/],
  ["five axes", rawFile([], [{ ...SMALL, dims: [1, 1, 1, 1, 8] }]), /1 to 4 axes, got 5$/],
  [
    "an axis of length 0",
    rawFile([], [{ ...SMALL, dims: [8, 0] }]),
    /shape of tensor "a" .*, got \[0, 8\] F32$/,
  ],
  [
    "2^60 values",
    rawFile([], [{ ...SMALL, dims: [2 ** 30, 2 ** 30] }]),
    /fewer than 2\^53 bytes, got \[1073741824, 1073741824\] F32$/,
  ],
  [
    "rows of half a block",
    rawFile([], [{ ...SMALL, dims: [16], type: 8 }]),
    /whole blocks of 32, .*, got \[16\] Q8_0$/,
  ],
  [
    "a type that is not read",
    rawFile([], [{ ...SMALL, type: 10 }]),
    /type of tensor "a" must be one of F32, .*Q6_K, got Q2_K; quantize the model/,
  ],
  ["a type that is none", rawFile([], [{ ...SMALL, type: 99 }]), /got type 99$/],
  [
    "an offset out of line",
    rawFile([], [{ ...SMALL, offset: 8 }], { padding: 64 }),
    /offset of tensor "a" must be a multiple of 32, got 8$/,
  ],
  [
    "an overlap",
    rawFile(
      [],
      [
        { ...SMALL, dims: [9] },
        { ...SMALL, name: "b", offset: 32 },
      ],
      { padding: 64 },
    ),
    /tensor "b" must begin at byte 132 or later, got 128$/,
  ],
  [
    "data past the end",
    rawFile([], [SMALL]).slice(0, -1),
    /tensor "a" must end within the file's 95 bytes, got 96; is the file whole\?$/,
  ],
  [
    "no architecture",
    rawFile([]),
    /"general.architecture" must be one of llama, qwen2, qwen3, gpt2, got nothing$/,
  ],
  [
    "another family",
    rawFile([string("general.architecture", "mamba")]),
    /one of llama, qwen2, qwen3, gpt2, got "mamba"$/,
  ],
  [
    "an adapter",
    model([...PAIRS, string("general.type", "adapter")]),
    /"general.type" must be "model", got "adapter"$/,
  ],
  [
    "a part",
    model([...PAIRS, uint32("split.count", 2)]),
    /"split.count" must be 1; merge .*, got 2$/,
  ],
  [
    "experts",
    model([...PAIRS, uint32("llama.expert_count", 8)]),
    /"llama.expert_count" must be 0 or absent, it is not supported, got 8$/,
  ],
  [
    "a text for a number",
    model(withPair(string("llama.block_count", "1"))),
    /"llama.block_count" must be an integer .*, got a string$/,
  ],
  [
    "a missing size",
    model(without("llama.context_length")),
    /"llama.context_length" must be an integer .*, got nothing$/,
  ],
  [
    "a negative size",
    model(withPair(["llama.block_count", 5, -1])),
    /"llama.block_count" must be an integer .*, got -1$/,
  ],
  [
    "an infinite epsilon",
    model(withPair(float32("llama.attention.layer_norm_rms_epsilon", Infinity))),
    /epsilon" must be finite, got Infinity$/,
  ],
  [
    "an epsilon of zero",
    model(withPair(float32("llama.attention.layer_norm_rms_epsilon", 0))),
    /eps must be positive, got 0$/,
  ],
  [
    "heads that do not group",
    model(withPair(uint32("llama.attention.head_count_kv", 3))),
    /numKvHeads must divide numHeads 4, got 3$/,
  ],
  [
    "half-rotated heads",
    model([...PAIRS, uint32("llama.rope.dimension_count", 32)]),
    /"llama.rope.dimension_count" must be the width of a head, 64, got 32$/,
  ],
  [
    "unknown scaling",
    model([...PAIRS, string("llama.rope.scaling.type", "longrope")]),
    /must be one of none, linear, yarn, got "longrope"$/,
  ],
  [
    "another vocabulary size",
    model([...PAIRS, uint32("llama.vocab_size", 4)]),
    /"llama.vocab_size" must be the number of rows of "token_embd.weight", 3, got 4$/,
  ],
  [
    "2^31 - 1 blocks",
    model(withPair(uint32("llama.block_count", 2 ** 31 - 1))),
    /tensor "blk.1.attn_norm.weight" must have shape \[256\] in this llama model, got none$/,
  ],
  [
    "a misshapen tensor",
    model(PAIRS, (t) => t.with(3, { ...t[3]!, dims: [128, 256] })),
    /"blk.0.attn_k.weight" must have shape \[128, 256\] .*, got \[256, 128\]$/,
  ],
  [
    "a tensor of no model",
    model(PAIRS, (t) => [...t, { ...SMALL, name: "blk.0.extra" }]),
    /tensors must be weights of its llama model, got "blk.0.extra"$/,
  ],
  [
    "a quantized vector",
    model(PAIRS, (t) => t.with(1, { ...t[1]!, type: 8 })),
    /"blk.0.attn_norm.weight" must be F32, F16 or BF16, as vectors are, got Q8_0$/,
  ],
  [
    "strange divisors",
    model(PAIRS, (t) => [
      ...t,
      { name: "rope_freqs.weight", dims: [32], type: 0, data: new Uint8Array(128) },
    ]),
    /"rope_freqs.weight" must hold the divisors of Llama 3's scaling, got others$/,
  ],
  [
    "divisors of another shape",
    model(PAIRS, (t) => [...t, { ...SMALL, name: "rope_freqs.weight" }]),
    /must have shape \[32\] F32, got \[8\] F32$/,
  ],
  [
    "too few tokens",
    model([...PAIRS, string("tokenizer.ggml.model", "llama"), ["tokenizer.ggml.tokens", 9, ["a"]]]),
    /"tokenizer.ggml.tokens" must be the 3 tokens of the embedding, got 1$/,
  ],
  [
    "an id of no token",
    model([
      ...PAIRS,
      string("tokenizer.ggml.model", "llama"),
      ["tokenizer.ggml.tokens", 9, ["a", "b", "c"]],
      uint32("tokenizer.ggml.bos_token_id", 3),
    ]),
    /"tokenizer.ggml.bos_token_id" must be the id of one of 3 tokens, got 3$/,
  ],
  [
    "a boolean of 2",
    model([
      ...PAIRS,
      string("tokenizer.ggml.model", "llama"),
      ["tokenizer.ggml.tokens", 9, ["a", "b", "c"]],
      ["tokenizer.ggml.add_bos_token", 7, 2],
    ]),
    /"tokenizer.ggml.add_bos_token" must be true or false/,
  ],
];

for (const [what, bytes, message] of REFUSED) {
  test(`storedGgufModel() refuses ${what}`, async () => {
    const source = bytesSource(bytes, FILE);
    await assert.rejects(storedGgufModel(source), (error: Error) => {
      assert.equal(error.name, "SyntaxError");
      assert.match(error.message, /^Cannot read "model\.gguf": /);
      assert.match(error.message, message);
      return true;
    });
  });
}
