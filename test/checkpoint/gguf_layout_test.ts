import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gguf, GGMLQuantizationType } from "@huggingface/gguf";
import { type ByteSource, bytesSource } from "../../model/checkpoint/byte_source.ts";
import { BLOCK_FORMATS } from "../../model/checkpoint/gguf/block_format.ts";
import { ropeDivisors, scalingOfDivisors } from "../../model/checkpoint/gguf/rope_scaling.ts";
import { storedGgufModel } from "../../model/checkpoint/gguf/stored_model.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { readGgufVocabulary } from "../../model/checkpoint/gguf/vocabulary.ts";
import { BLOCK_SIZES, decodeBlock } from "../reference/ggml_blocks.ts";
import { FILE, ggufFile, LLAMA, MODELS, randomWeights, VOCABULARY } from "./gguf_files.ts";
import { PAIRS, rawFile, rawTensors } from "./gguf_raw.ts";

const FIXTURES = new URL("../../../shared/fixtures/gguf_vocab/", import.meta.url);
const skip = existsSync(FIXTURES)
  ? false
  : "needs ../shared/fixtures/gguf_vocab beside the repository, which is not there";

/** What Hugging Face's library reads of a file, without a network. */
function readByLibrary(bytes: Uint8Array<ArrayBuffer>) {
  const fetch = (_: unknown, init?: RequestInit): Promise<Response> => {
    const range = new Headers(init?.headers).get("range")!;
    const [begin = 0, last = 0] = range.slice("bytes=".length).split("-").map(Number);
    const headers = { "content-range": `bytes ${begin}-${last}/${bytes.length}` };
    return Promise.resolve(new Response(bytes.slice(begin, last + 1), { headers }));
  };
  return gguf("https://localhost/model.gguf", { fetch });
}

for (const dtype of ["Q4_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "BF16"] as const) {
  test(`rows of ${dtype} queries and keys are put in halves without being decoded`, async () => {
    const tensors = rawTensors(dtype);
    const { weights, config } = await storedGgufModel(bytesSource(rawFile(PAIRS, tensors), FILE));
    assert.equal(config.tieEmbeddings, true);
    assert.equal(config.headDim, 64);
    const [length, stride] = BLOCK_SIZES[dtype];
    const rowBytes = (256 / length) * stride;
    for (const [label, name, isPermuted] of [
      ["self_attn.q_proj", "attn_q", true],
      ["self_attn.k_proj", "attn_k", true],
      ["self_attn.v_proj", "attn_v", false],
    ] as const) {
      const { data } = tensors.find((tensor) => tensor.name === `blk.0.${name}.weight`)!;
      const stored = weights.get(`model.layers.0.${label}.weight`)!;
      const weight = await stored.read();
      assert.equal(weight.dtype, dtype);
      for (const row of [0, 1, 32, 63, 64, 97, 127]) {
        const inHead = row % 64;
        const from = isPermuted ? row - inHead + 2 * (inHead % 32) + Math.floor(inHead / 32) : row;
        const expected = data.subarray(from * rowBytes, (from + 1) * rowBytes);
        assert.deepEqual(weight.bytes.subarray(row * rowBytes, (row + 1) * rowBytes), expected);
      }
      const values = toFloat32(weight).subarray(0, length);
      const first = decodeBlock(dtype, data.subarray(0, stride));
      assert.deepEqual([...values], first);
    }
  });
}

test("Hugging Face's library reads what encodeGguf() writes", async () => {
  for (const [name, config] of Object.entries(MODELS)) {
    const bytes = await ggufFile(config, { type: "Q8_0", vocabulary: VOCABULARY });
    const { metadata, tensorInfos, tensorDataOffset } = await readByLibrary(bytes);
    const architecture = name.startsWith("qwen") || name === "gpt2" ? name.slice(0, 5) : "llama";
    const values = metadata as Record<string, unknown>;
    const family = architecture.replace(/,.*/, "");
    assert.equal(values["general.architecture"], family, name);
    assert.equal(values[`${family}.embedding_length`], 64);
    assert.equal(values[`${family}.block_count`], 2);
    assert.equal(values[`${family}.attention.head_count`], 4);
    assert.equal(values[`${family}.attention.head_count_kv`], config.numKvHeads);
    assert.deepEqual(values["tokenizer.ggml.tokens"], VOCABULARY.tokens);
    assert.deepEqual(values["tokenizer.ggml.scores"], [...VOCABULARY.scores!]);
    assert.deepEqual(values["tokenizer.ggml.token_type"], VOCABULARY.tokenTypes);
    assert.deepEqual(values["tokenizer.ggml.precompiled_charsmap"], [0, 1, 2, 255]);
    assert.equal(Number(tensorDataOffset) % 32, 0);
    const embedding = tensorInfos.find((info) => info.name === "token_embd.weight")!;
    assert.deepEqual(embedding.shape, [64n, 7n]); // the contiguous axis first
    assert.equal(embedding.dtype, GGMLQuantizationType.Q8_0);
    const last = tensorInfos.at(-1)!;
    assert.ok(Number(tensorDataOffset) + Number(last.offset) < bytes.length);
  }
});

test("data lie where the library says, queries and keys of a Llama permuted", async () => {
  const config = LLAMA;
  const weights = randomWeights(config);
  const bytes = await ggufFile(config, { weights });
  const { tensorInfos, tensorDataOffset } = await readByLibrary(bytes);
  const rowOf = (name: string, row: number): Float32Array => {
    const { offset } = tensorInfos.find((info) => info.name === name)!;
    const begin = Number(tensorDataOffset) + Number(offset) + row * 64 * 4;
    return new Float32Array(bytes.slice(begin, begin + 64 * 4).buffer);
  };
  const ours = (label: string, row: number) =>
    weights.get(`model.layers.1.self_attn.${label}.weight`)!.slice(64 * row, 64 * (row + 1));
  // Of each head of 16: 0, 8, 1, 9, 2, ...
  for (const [row, from] of [
    [0, 0],
    [1, 8],
    [2, 1],
    [15, 15],
    [17, 24],
    [31, 31],
  ] as const) {
    assert.deepEqual(rowOf("blk.1.attn_q.weight", row), ours("q_proj", from));
    assert.deepEqual(rowOf("blk.1.attn_k.weight", row), ours("k_proj", from));
    assert.deepEqual(rowOf("blk.1.attn_v.weight", row), ours("v_proj", row));
  }
});

test("queries, keys and values of a GPT-2 are one tensor", async () => {
  const config = MODELS["gpt2"]!;
  const weights = randomWeights(config);
  const bytes = await ggufFile(config, { weights });
  const { tensorInfos, tensorDataOffset } = await readByLibrary(bytes);
  for (const [kind, rowLength] of [
    ["weight", 64],
    ["bias", 1],
  ] as const) {
    const info = tensorInfos.find(({ name }) => name === `blk.1.attn_qkv.${kind}`)!;
    assert.deepEqual(info.shape, kind === "bias" ? [192n] : [64n, 192n]);
    const begin = Number(tensorDataOffset) + Number(info.offset);
    const values = new Float32Array(bytes.slice(begin, begin + 192 * rowLength * 4).buffer);
    for (const [i, module] of ["q_proj", "k_proj", "v_proj"].entries()) {
      assert.deepEqual(
        values.slice(64 * rowLength * i, 64 * rowLength * (i + 1)),
        weights.get(`model.layers.1.self_attn.${module}.${kind}`),
      );
    }
  }
});

test("types have the numbers and names that the library has", () => {
  for (const [dtype, { id }] of Object.entries(BLOCK_FORMATS)) {
    assert.equal(GGMLQuantizationType[id], dtype);
  }
});

test("vocabularies of llama.cpp are read as the library reads them", { skip }, async () => {
  for (const name of ["ggml-vocab-gpt-2.gguf", "ggml-vocab-llama-spm.gguf"]) {
    const bytes = Uint8Array.from(await readFile(new URL(name, FIXTURES)));
    let read = 0;
    const source: ByteSource = {
      ...bytesSource(bytes, name),
      read(begin, end) {
        read += end - begin;
        return bytesSource(bytes, name).read(begin, end);
      },
    };
    const vocabulary = await readGgufVocabulary(source);
    assert.ok(read <= 3 * bytes.length, `${read} bytes of ${bytes.length}`);
    const metadata = (await readByLibrary(bytes)).metadata as Record<string, unknown>;
    const value = (key: string) => metadata[`tokenizer.ggml.${key}`];
    assert.equal(vocabulary.model, value("model"));
    assert.equal(vocabulary.pre, value("pre"));
    // The library takes a leading U+FEFF for a mark of the encoding, and drops it.
    const tokens = vocabulary.tokens.map((token) => token.replace(/^\uFEFF/, ""));
    assert.deepEqual(tokens, value("tokens"));
    assert.deepEqual(vocabulary.merges, value("merges"));
    assert.deepEqual(vocabulary.scores && [...vocabulary.scores], value("scores"));
    assert.deepEqual(vocabulary.tokenTypes, value("token_type"));
    assert.equal(vocabulary.bosId, value("bos_token_id"));
    assert.equal(vocabulary.eosId, value("eos_token_id"));
    assert.equal(vocabulary.unkId, value("unknown_token_id"));
    assert.equal(vocabulary.addBos, value("add_bos_token"));
    assert.equal(vocabulary.addEos, value("add_eos_token"));
  }
});

test("a vocabulary alone is no model, and the error says what is missing", { skip }, async () => {
  const name = "ggml-vocab-llama-spm.gguf";
  const source = bytesSource(Uint8Array.from(await readFile(new URL(name, FIXTURES))), name);
  await assert.rejects(storedGgufModel(source), {
    name: "SyntaxError",
    message: `Cannot read "${name}": tensor "token_embd.weight" must have 2 axes, got none`,
  });
});

test("divisors of frequencies give Llama 3's scaling, and any like it", () => {
  for (const [factor, highFreqFactor, originalMaxSeqLen, headDim] of [
    [8, 4, 8192, 128],
    [32, 4, 8192, 64],
    [4, 8, 2048, 128],
    [16.5, 3, 4096, 64],
  ] as const) {
    const scaling = {
      type: "llama3",
      factor,
      lowFreqFactor: 1,
      highFreqFactor,
      originalMaxSeqLen,
    } as const;
    const rotation = { headDim, theta: 500_000 };
    const divisors = Float32Array.from(ropeDivisors(scaling, rotation));
    assert.equal(divisors[0], 1);
    assert.ok(Math.abs(divisors.at(-1)! - factor) < 1e-5 * factor);
    assert.deepEqual(scalingOfDivisors(divisors, rotation), scaling);
    assert.equal(scalingOfDivisors(divisors.with(headDim / 4, 1.5), rotation), undefined);
    assert.equal(scalingOfDivisors(divisors.fill(1), rotation), null);
    assert.equal(scalingOfDivisors(divisors.fill(NaN), rotation), undefined);
    assert.equal(scalingOfDivisors(divisors.fill(0), rotation), undefined);
  }
});
