import assert from "node:assert/strict";
import { test } from "node:test";
import { type ByteSource, bytesSource } from "../../model/checkpoint/byte_source.ts";
import { encodeGguf } from "../../model/checkpoint/gguf/encode.ts";
import { storedGgufModel } from "../../model/checkpoint/gguf/stored_model.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { readGgufVocabulary } from "../../model/checkpoint/gguf/vocabulary.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { decodeBlock, encodeQ8Block } from "../reference/ggml_blocks.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import {
  assertSafe,
  FILE,
  ggufCorpus,
  ggufFile,
  LLAMA,
  MODELS,
  mutate,
  randomWeights,
  seeded,
  VOCABULARY,
} from "./gguf_files.ts";
import { type Pair, PAIRS, rawFile, rawTensors, uint32 } from "./gguf_raw.ts";

async function readAll(bytes: Uint8Array<ArrayBuffer>): Promise<Map<string, Float32Array>> {
  const { weights } = await storedGgufModel(bytesSource(bytes, FILE));
  const values = new Map<string, Float32Array>();
  for (const [label, weight] of weights) values.set(label, toFloat32(await weight.read()));
  return values;
}

for (const [name, config] of Object.entries(MODELS)) {
  test(`a GGUF file of ${name} gives back configuration and weights, bit by bit`, async () => {
    const weights = randomWeights(config);
    const bytes = await ggufFile(config, { weights });
    const stored = await storedGgufModel(bytesSource(bytes, FILE));
    assert.deepEqual(stored.config, config);
    const labels = Array.from(weightShapes(config), ({ label }) => label);
    assert.deepEqual([...stored.weights.keys()], labels);
    for (const [label, values] of await readAll(bytes)) {
      assert.deepEqual(values, weights.get(label), label);
    }
  });
}

test("F16 files hold matrices rounded to f16, vectors as they are", async () => {
  for (const config of [LLAMA, MODELS["gpt2"]!]) {
    const weights = randomWeights(config);
    const values = await readAll(await ggufFile(config, { weights, type: "F16" }));
    for (const { label, shape } of weightShapes(config)) {
      const exact = weights.get(label)!;
      const isFloat32 = shape.length === 1 || label.includes("positions");
      const expected = isFloat32 ? exact : fromFloat16(toFloat16(exact).buffer, exact.length);
      assert.deepEqual(values.get(label), expected, label);
    }
  }
});

test("Q8_0 files hold matrices as ggml quantizes them, and F16 where rows are no blocks", async () => {
  for (const config of [LLAMA, MODELS["qwen2"]!, MODELS["gpt2"]!]) {
    const weights = randomWeights(config);
    const { weights: stored } = await storedGgufModel(
      bytesSource(await ggufFile(config, { weights, type: "Q8_0" }), FILE),
    );
    for (const { label, shape } of weightShapes(config)) {
      const { dtype } = stored.get(label)!;
      const isFloat32 = shape.length === 1 || label.includes("positions");
      assert.equal(dtype, isFloat32 ? "F32" : label.includes("down_proj") ? "F16" : "Q8_0", label);
      if (dtype !== "Q8_0") continue;
      const exact = weights.get(label)!;
      const expected: number[] = [];
      for (let i = 0; i < exact.length; i += 32) {
        expected.push(...decodeBlock("Q8_0", encodeQ8Block(exact.subarray(i, i + 32))));
      }
      assert.deepEqual([...toFloat32(await stored.get(label)!.read())], expected, label);
    }
  }
});

test("Q8_0 rounds halves away from zero, and keeps zeros and tiny values finite", async () => {
  const config: ModelConfig = { ...LLAMA, numBlocks: 1 };
  const weights = randomWeights(config);
  const row = weights.get("lm_head.weight")!;
  // The scale is 1: values are their own steps, and halves are exact.
  row.set([127, 0.5, -0.5, 1.5, -1.5, 2.5, -126.5, 126.49], 0);
  row.fill(0, 8, 32);
  row.fill(1e-45, 32, 64).fill(0, 64, 96);
  const values = (await readAll(await ggufFile(config, { weights, type: "Q8_0" }))).get(
    "lm_head.weight",
  )!;
  assert.deepEqual([...values.subarray(0, 9)], [127, 1, -1, 2, -2, 3, -127, 126, 0]);
  assert.deepEqual(
    [...values.subarray(32, 96)],
    Array.from({ length: 64 }, () => 0),
  );
});

test("a vocabulary comes back as it was, and with it what the model needs of it", async () => {
  const bytes = await ggufFile(LLAMA, { vocabulary: VOCABULARY });
  assert.deepEqual(await readGgufVocabulary(bytesSource(bytes, FILE)), VOCABULARY);
  const tokenizerOf = ({ tokens }: typeof VOCABULARY) => ({ first: tokens[0]! });
  const stored = await storedGgufModel(bytesSource(bytes, FILE), { tokenizerOf });
  assert.deepEqual(stored.tokenizer, { first: "<unk>" });
  assert.deepEqual(stored.generation, { beginToken: 1, endTokens: [2] });
  assert.deepEqual(stored.tokenizerConfig, {
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    pad_token: "</s>",
    add_bos_token: true,
    add_eos_token: false,
    chat_template: "{{ messages }}",
  });
});

test("rows of the embedding without a token become unused tokens", async () => {
  const bytes = await ggufFile({ ...LLAMA, vocabSize: 9 }, { vocabulary: VOCABULARY });
  const { tokens, tokenTypes, scores } = await readGgufVocabulary(bytesSource(bytes, FILE));
  assert.deepEqual(tokens.slice(6), ["😀", "[PAD7]", "[PAD8]"]);
  assert.deepEqual(tokenTypes!.slice(6), [4, 5, 5]);
  assert.equal(scores!.length, 9);
});

test("a file without a vocabulary says so", async () => {
  const source = bytesSource(await ggufFile(LLAMA), FILE);
  await assert.rejects(readGgufVocabulary(source), {
    message: `Cannot read "${FILE}": "tokenizer.ggml.tokens" must be an array of strings, got nothing`,
  });
  assert.equal((await storedGgufModel(source)).generation, undefined);
});

test("a model whose tokenizer is not supported comes without it, and with the reason", async () => {
  const bytes = await ggufFile(LLAMA, { vocabulary: VOCABULARY });
  const tokenizerOf = (): never => {
    throw new SyntaxError("Cannot convert a vocabulary: it must do, got less");
  };
  const stored = await storedGgufModel(bytesSource(bytes, FILE), { tokenizerOf });
  assert.equal(stored.tokenizer, undefined);
  assert.equal(
    stored.tokenizerProblem,
    `Cannot read "${FILE}": Cannot convert a vocabulary: it must do, got less`,
  );
  assert.equal(stored.weights.size, randomWeights(LLAMA).size);
  assert.deepEqual(stored.generation, { beginToken: 1, endTokens: [2] });
  const fail = (): never => {
    throw new RangeError("another error");
  };
  const failing = storedGgufModel(bytesSource(bytes, FILE), { tokenizerOf: fail });
  await assert.rejects(failing, { name: "RangeError", message: "another error" });
});

test("opening a model reads its header alone, and a weight its own rows alone", async () => {
  const config: ModelConfig = { ...MODELS["gpt2"]!, vocabSize: 5000 };
  const bytes = await ggufFile(config);
  const reads: number[] = [];
  const source: ByteSource = {
    ...bytesSource(bytes, FILE),
    read(begin, end) {
      reads.push(end - begin);
      return bytesSource(bytes, FILE).read(begin, end);
    },
  };
  const { weights } = await storedGgufModel(source);
  assert.deepEqual(reads, [2 ** 18]);
  await weights.get("model.layers.1.self_attn.k_proj.weight")!.read();
  assert.deepEqual(reads, [2 ** 18, 64 * 64 * 4]);
});

test("encodeGguf() refuses models that llama.cpp has no family for", async () => {
  const unknown: Partial<ModelConfig>[] = [
    { mlp: "silu" },
    { norm: "layerNorm" },
    { qkNorm: true, bias: "qkv" },
    { ...MODELS["gpt2"], mlp: "gelu" },
    { ...MODELS["gpt2"], headDim: 8 },
  ];
  for (const change of unknown) {
    await assert.rejects(ggufFile({ ...LLAMA, ...change }), {
      name: "RangeError",
      message: /^Cannot write a GGUF file: the model must be what llama\.cpp knows/,
    });
  }
});

test("encodeGguf() refuses a window that llama.cpp would leave out, saying what keeps it", async () => {
  for (const config of [LLAMA, MODELS["qwen2"]!, MODELS["qwen3"]!, MODELS["gpt2"]!]) {
    await assert.rejects(ggufFile({ ...config, slidingWindow: 7 }), {
      name: "RangeError",
      message: /computes no sliding window .*, got a window of 7 tokens; write safetensors instead/,
    });
  }
});

test("a window that another program wrote into a file is read", async () => {
  const pairs = [...PAIRS, uint32("llama.attention.sliding_window", 5)];
  const read = (list: readonly Pair[]) =>
    storedGgufModel(bytesSource(rawFile(list, rawTensors("Q8_0")), FILE));
  assert.equal((await read(pairs)).config.slidingWindow, 5);
  assert.equal((await read(PAIRS)).config.slidingWindow, null);
});

test("encodeGguf() refuses weights that are misshapen or that a type cannot hold", async () => {
  const write = async (type: "F16" | "Q8_0", change: (values: Float32Array) => Float32Array) => {
    const weights = (label: string) =>
      Promise.resolve(
        Float32Array.from(
          label === "lm_head.weight"
            ? change(randomWeights(LLAMA).get(label)!)
            : randomWeights(LLAMA).get(label)!,
        ),
      );
    for await (const chunk of encodeGguf({ config: LLAMA, weights, type })) void chunk;
  };
  await assert.rejects(
    write("F16", (values) => values.subarray(1)),
    {
      name: "RangeError",
      message:
        'Cannot write a GGUF file: weight "lm_head.weight" must have shape [7, 64], got 447 values',
    },
  );
  const message = /^Cannot write weight "lm_head\.weight" as (F16|Q8_0): .*; use .*F32$/;
  for (const value of [1e5, NaN, Infinity]) {
    if (value === 1e5) {
      await assert.rejects(
        write("F16", (values) => values.fill(value, 3, 4)),
        { message },
      );
    } else {
      await assert.rejects(
        write("Q8_0", (values) => values.fill(value, 3, 4)),
        { message },
      );
    }
  }
  await assert.rejects(
    write("Q8_0", (values) => values.fill(-1e9, 3, 4)),
    { message },
  );
});

test("an interleaved Llama is written as it is, and read as one that rotates in halves", async () => {
  const config: ModelConfig = { ...LLAMA, rotaryLayout: "interleaved" };
  const weights = randomWeights(config);
  const values = await readAll(await ggufFile(config, { weights }));
  const label = "model.layers.0.self_attn.k_proj.weight";
  const row = (from: Map<string, Float32Array>, index: number) =>
    from.get(label)!.slice(64 * index, 64 * (index + 1));
  for (let i = 0; i < 32; i++) {
    const head = i - (i % 16);
    const half = head + Math.floor((i % 16) / 2) + (i % 2) * 8;
    assert.deepEqual(row(values, half), row(weights, i));
  }
});

/** Longest time that a small file, however damaged, may take, in ms; most take less than one. */
const MAX_MS = 1000;

test("a changed GGUF file is read or refused with a typed error, at once", async () => {
  const corpus = await ggufCorpus();
  const random = seeded(11);
  const counts = { read: 0, refused: 0 };
  let slowest = 0;
  for (let i = 0; i < 4000; i++) {
    const bytes = mutate(corpus[i % corpus.length]!, random);
    const begin = performance.now();
    counts[await assertSafe(bytes)]++;
    slowest = Math.max(slowest, performance.now() - begin);
  }
  assert.ok(slowest < MAX_MS, `${slowest} ms`);
  // Neither so wild that nothing but the magic is tested, nor so tame that nothing is.
  assert.ok(counts.read > 200 && counts.refused > 2000, JSON.stringify(counts));
});

test("the files that are changed are read whole", async () => {
  for (const bytes of await ggufCorpus()) assert.equal(await assertSafe(bytes), "read");
});
