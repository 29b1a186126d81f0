import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { modelTypeOf } from "../../model/checkpoint/config_json.ts";
import { exportHuggingFace, type ModelExport } from "../../model/checkpoint/export_hugging_face.ts";
import {
  decodeFloats,
  encodeFloats,
  type FloatDtype,
} from "../../model/checkpoint/float_conversion.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from "../../model/checkpoint/safetensors.ts";
import { storedHuggingFaceModel } from "../../model/checkpoint/stored_hugging_face.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { DEFAULT_CONFIG } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { uniform } from "../support.ts";
import { arbitraryConfig, countingWeights, FAMILIES, GPT2, LLAMA } from "./arbitrary_model.ts";
import {
  drain,
  type Files,
  filesOf,
  folderOf,
  jsonBytes,
  jsonOf,
  randomWeights,
  readAll,
} from "./memory_files.ts";

const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const DTYPES: readonly FloatDtype[] = ["F32", "F16", "BF16"];

/** A model in files of any 16 or 32 bits, written again: what `exportHuggingFace()` is given. */
function exportOf(model: StoredModel, dtype: FloatDtype): ModelExport {
  return {
    config: model.config,
    dtype,
    ...(model.generation && { generation: model.generation }),
    ...(model.tokenizer && { tokenizer: model.tokenizer }),
    ...(model.tokenizerConfig && { tokenizerConfig: model.tokenizerConfig }),
    weights: async (label) => {
      const weight = await model.weights.get(label)!.read();
      return decodeFloats(weight.bytes, weight.dtype as FloatDtype);
    },
  };
}

/** Files with the weights changed, as `change` does to the tensors by name. */
function withTensors(files: Files, change: (tensors: Map<string, StoredTensor>) => void): Files {
  const tensors = new Map(decodeSafetensors(files.get(WEIGHTS)!, WEIGHTS).tensors);
  change(tensors);
  return new Map(files).set(WEIGHTS, encodeSafetensors(tensors));
}

async function load(files: Files): Promise<StoredModel> {
  return storedHuggingFaceModel(folderOf(files));
}

for (const [family, config] of FAMILIES) {
  for (const dtype of DTYPES) {
    for (const maxShardBytes of [5e9, 200]) {
      const where = maxShardBytes > 1e9 ? "one file" : "shards";
      test(`a ${family} model of ${dtype} in ${where} loads, and is written again bit by bit`, async () => {
        const files = await filesOf(config, { dtype, maxShardBytes });
        assert.equal(files.has(INDEX), maxShardBytes === 200);
        const model = await load(files);
        assert.deepEqual(model.config, config);
        const expected = randomWeights(config);
        const weights = await readAll(model);
        assert.deepEqual(
          weights.map(([label]) => label),
          Array.from(weightShapes(config), ({ label }) => label),
        );
        for (const [label, weight] of weights) {
          assert.equal(weight.dtype, dtype);
          assert.deepEqual(weight.bytes, encodeFloats(expected.get(label)!, dtype), label);
        }
        const again = await drain(exportHuggingFace({ ...exportOf(model, dtype), maxShardBytes }));
        assert.deepEqual(again, files);
        assert.equal(modelTypeOf(model.config), family);
      });
    }
  }
}

test("any model comes back bit by bit, whatever bits its weights have", async () => {
  const options = fc.record({
    dtype: fc.constantFrom(...DTYPES),
    maxShardBytes: fc.integer({ min: 1, max: 900 }),
  });
  await fc.assert(
    fc.asyncProperty(
      arbitraryConfig,
      options,
      fc.nat(),
      async (config, { dtype, maxShardBytes }, seed) => {
        const weights = new Map<string, Float32Array<ArrayBuffer>>();
        for (const [label, { length }] of countingWeights(config)) {
          // Any bits at all: NaNs with a payload, -0, denormal numbers.
          const width = dtype === "F32" ? 4 : 2;
          const bytes = Uint8Array.from(uniform(length * width, seed), (x) => (x + 1) * 128);
          weights.set(label, decodeFloats(bytes, dtype));
        }
        const files = await filesOf(config, { dtype, maxShardBytes }, weights);
        const model = await load(files);
        for (const [label, { bytes }] of await readAll(model)) {
          assert.deepEqual(bytes, encodeFloats(weights.get(label)!, dtype), label);
        }
        assert.deepEqual(
          await drain(exportHuggingFace({ ...exportOf(model, dtype), maxShardBytes })),
          files,
        );
      },
    ),
    { numRuns: 150 },
  );
});

test("storedHuggingFaceModel() gives tokenizer and generation as they were written", async () => {
  const tokenizer = { model: { type: "BPE", vocab: { a: 0 } }, added_tokens: [] };
  const tokenizerConfig = { chat_template: "{{ messages }}", add_bos_token: true };
  const generation = {
    beginToken: 1,
    endTokens: [2, 3],
    padToken: 0,
    doSample: true,
    temperature: 0.7,
    topK: 20,
    topP: 0.8,
    minP: 0.05,
    repetitionPenalty: 1.1,
    maxNewTokens: 256,
  };
  const files = await filesOf(LLAMA, { tokenizer, tokenizerConfig, generation });
  const model = await load(files);
  assert.deepEqual(model.tokenizer, tokenizer);
  assert.deepEqual(model.tokenizerConfig, tokenizerConfig);
  assert.deepEqual(model.generation, generation);
  assert.deepEqual(jsonOf(files, "generation_config.json"), {
    bos_token_id: 1,
    eos_token_id: [2, 3],
    pad_token_id: 0,
    do_sample: true,
    temperature: 0.7,
    top_k: 20,
    top_p: 0.8,
    min_p: 0.05,
    repetition_penalty: 1.1,
    max_new_tokens: 256,
  });
  assert.deepEqual(await drain(exportHuggingFace(exportOf(model, "F32"))), files);
});

test("storedHuggingFaceModel() takes tokens from config.json where nothing else has them", async () => {
  const files = await filesOf(LLAMA);
  const change = (json: JsonObject) =>
    new Map(files).set("config.json", jsonBytes({ ...jsonOf(files, "config.json"), ...json }));
  assert.equal((await load(files)).generation, undefined);
  const { generation } = await load(change({ bos_token_id: 1, eos_token_id: [2, 50256] }));
  assert.deepEqual(generation, { beginToken: 1, endTokens: [2] });
  assert.equal((await load(change({ eos_token_id: 50256 }))).generation, undefined);
});

test("generation_config.json with settings out of range, or odd padding", async () => {
  const files = await filesOf(LLAMA);
  const generation = (json: JsonObject) =>
    load(new Map(files).set("generation_config.json", jsonBytes(json)));
  const model = await generation({ eos_token_id: 2, pad_token_id: -1, top_k: null, max_length: 9 });
  assert.deepEqual(model.generation, { endTokens: [2] });
  const refused: readonly (readonly [JsonObject, RegExp])[] = [
    [{ temperature: -1 }, /temperature must not be negative, got -1$/],
    [{ temperature: "hot" }, /temperature must be a number, got "hot"$/],
    [{ top_k: 1.5 }, /top_k must count from 0, got 1\.5$/],
    [{ top_p: 1.5 }, /top_p must lie in \[0, 1\], got 1\.5$/],
    [{ min_p: -0.5 }, /min_p must lie in/],
    [{ repetition_penalty: 0 }, /repetition_penalty must be positive, got 0$/],
    [{ max_new_tokens: 0 }, /max_new_tokens must count from 1, got 0$/],
    [{ do_sample: 1 }, /do_sample must be true or false, got 1$/],
    [{ eos_token_id: "2" }, /eos_token_id must hold ids of tokens, got "2"$/],
    [{ eos_token_id: [2, 1.5] }, /eos_token_id must hold ids of tokens, got \[2,1\.5\]$/],
    [{ bos_token_id: [1] }, /bos_token_id must hold ids of tokens, got \[1\]$/],
  ];
  for (const [json, message] of refused) {
    await assert.rejects(generation(json), { name: "SyntaxError", message });
  }
});

test("tokens of generation_config.json that the vocabulary lacks are left aside", async () => {
  const files = await filesOf(LLAMA); // seven tokens
  const json = { bos_token_id: 128_000, eos_token_id: [2, 7, -1], pad_token_id: 7 };
  const { generation } = await load(files.set("generation_config.json", jsonBytes(json)));
  assert.deepEqual(generation, { endTokens: [2] });
  const foreign = { bos_token_id: 1, eos_token_id: 50_256 };
  const model = await load(files.set("generation_config.json", jsonBytes(foreign)));
  assert.deepEqual(model.generation, { beginToken: 1, endTokens: [] });
});

test("storedHuggingFaceModel() reads no weights before they are asked for, and each once", async () => {
  for (const config of [GPT2, LLAMA]) {
    const files = await filesOf(config, { dtype: "F16" });
    const folder = folderOf(files);
    const model = await storedHuggingFaceModel(folder);
    const data = decodeSafetensors(files.get(WEIGHTS)!, WEIGHTS).tensors;
    const dataBytes = [...data.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    const bytesRead = () =>
      folder.reads
        .filter(({ name }) => name === WEIGHTS)
        .reduce((sum, { bytes }) => sum + bytes, 0);
    assert.equal(bytesRead(), files.get(WEIGHTS)!.length - dataBytes);
    await readAll(model); // GPT-2's fused matrices, three times in a row
    assert.equal(bytesRead(), files.get(WEIGHTS)!.length);
  }
});

test("parts of a fused matrix are the caller's own, in any order and at the same time", async () => {
  const files = await filesOf(GPT2);
  const model = await load(files);
  const names = ["v_proj", "q_proj", "k_proj"].map(
    (name) => `model.layers.1.self_attn.${name}.weight`,
  );
  const parts = await Promise.all(names.map((name) => model.weights.get(name)!.read()));
  const expected = randomWeights(GPT2);
  for (const [i, { bytes }] of parts.entries()) {
    assert.deepEqual(decodeFloats(bytes, "F32"), expected.get(names[i]!));
    bytes.fill(0);
  }
  const again = await model.weights.get(names[0]!)!.read();
  assert.deepEqual(decodeFloats(again.bytes, "F32"), expected.get(names[0]!));
});

test("a fused matrix that could not be read is read again when asked again", async () => {
  const files = await filesOf(GPT2);
  const folder = folderOf(files);
  let fails = false;
  const model = await storedHuggingFaceModel({
    name: "folder",
    async open(name) {
      const source = await folder.open(name);
      return (
        source && {
          ...source,
          read: (begin, end) =>
            fails ? Promise.reject(new Error("disk")) : source.read(begin, end),
        }
      );
    },
  });
  const weight = model.weights.get("model.layers.0.self_attn.q_proj.weight")!;
  fails = true;
  await assert.rejects(weight.read(), /disk/);
  fails = false;
  assert.equal((await weight.read()).bytes.length, 4 * 4 * 4);
});

test("a base model without prefix loads, and so do masks and frequencies that hold no weights", async () => {
  for (const [family, config] of FAMILIES.filter(([name]) => name !== "tenure")) {
    const tied = { ...config, tieEmbeddings: true };
    const files = withTensors(await filesOf(tied), (tensors) => {
      const prefixed = [...tensors];
      tensors.clear();
      for (const [name, tensor] of prefixed) {
        tensors.set(name.replace(/^(model|transformer)\./, ""), tensor);
      }
      const derived =
        family === "gpt2" ? "h.0.attn.bias" : "layers.0.self_attn.rotary_emb.inv_freq";
      tensors.set(derived, { dtype: "BOOL", shape: [1, 2], bytes: new Uint8Array(2) });
    });
    const read = await readAll(await load(files));
    const expected = randomWeights(tied);
    for (const [label, { bytes }] of read) {
      assert.deepEqual(decodeFloats(bytes, "F32"), expected.get(label), label);
    }
  }
});

test("a copy of a tied embedding is compared when the embedding is read", async () => {
  const config = { ...LLAMA, tieEmbeddings: true };
  const copied = (change: (copy: StoredTensor) => StoredTensor) => async () =>
    withTensors(await filesOf(config), (tensors) => {
      const embedding = tensors.get("model.embed_tokens.weight")!;
      tensors.set("lm_head.weight", change({ ...embedding, bytes: embedding.bytes.slice() }));
    });
  const untied = { name: "RangeError", message: /"lm_head\.weight" must equal .* got another$/ };
  const embeddingOf = async (files: Files) =>
    (await load(files)).weights.get("model.embed_tokens.weight")!.read();
  await embeddingOf(await copied((copy) => copy)());
  const other = await copied((copy) => {
    copy.bytes[copy.bytes.length - 1]! ^= 1;
    return copy;
  })();
  const model = await load(other); // nothing read yet
  assert.ok(model.weights.size > 0);
  await assert.rejects(embeddingOf(other), untied);
  const shapes = await copied((copy) => ({ ...copy, shape: [4, 7] }))();
  await assert.rejects(load(shapes), untied);
  const types = await copied((copy) => ({ ...copy, dtype: "I32" }))();
  await assert.rejects(load(types), untied);
});

test("storedHuggingFaceModel() refuses pickles, and folders without a model", async () => {
  const files = await filesOf(LLAMA);
  const without = (...names: string[]) =>
    new Map([...files].filter(([name]) => !names.includes(name)));
  for (const name of ["pytorch_model.bin", "model.pt", "consolidated.00.pth", "model.pkl"]) {
    await assert.rejects(load(without(WEIGHTS).set(name, new Uint8Array(9))), {
      name: "SyntaxError",
      message: `Cannot read "folder": weights must be safetensors, got only "${name}"; reading a pickle runs the code in it, so save the model again with safe_serialization=True`,
    });
  }
  await load(new Map(files).set("pytorch_model.bin", new Uint8Array(9))); // beside safetensors
  await assert.rejects(load(without(WEIGHTS)), /index\.json must be there, got neither$/);
  await assert.rejects(load(without("config.json")), /config\.json must be there, got none$/);
});

test("an unsupported architecture is refused before its weights are opened", async () => {
  const files = await filesOf(LLAMA);
  const folder = folderOf(
    new Map(files).set(
      "config.json",
      jsonBytes({ ...jsonOf(files, "config.json"), model_type: "gemma" }),
    ),
  );
  await assert.rejects(storedHuggingFaceModel(folder), {
    name: "SyntaxError",
    message:
      'Cannot read "config.json": model_type must be one of llama, mistral, qwen2, qwen3, gpt2, tenure, got "gemma"',
  });
  assert.deepEqual(new Set(folder.reads.map(({ name }) => name)), new Set(["config.json"]));
});

test("storedHuggingFaceModel() names a missing, a misshapen, an unknown and an integer tensor", async () => {
  const files = await filesOf(LLAMA);
  const norm = "model.norm.weight";
  const cases: readonly (readonly [(tensors: Map<string, StoredTensor>) => void, RegExp])[] = [
    [(tensors) => tensors.delete(norm), /"model\.norm\.weight" must have shape \[4\].*got none$/],
    [
      (tensors) => tensors.set(norm, { ...tensors.get(norm)!, shape: [2, 2] }),
      /"model\.norm\.weight" must have shape \[4\] in a model of 316 weights.*got \[2, 2\]$/,
    ],
    [
      (tensors) => tensors.set("score.weight", tensors.get(norm)!),
      /tensors must be weights of a llama model, got "score\.weight"$/,
    ],
    [
      (tensors) => tensors.set(norm, { ...tensors.get(norm)!, dtype: "I32" }),
      /"model\.norm\.weight" must be one of F32, F16, BF16, got I32/,
    ],
  ];
  for (const [change, message] of cases) {
    await assert.rejects(load(withTensors(files, change)), (error) => {
      assert.ok(error instanceof RangeError || error instanceof TypeError);
      assert.match(error.message, /^Cannot read "model\.safetensors": /);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("a tokenizer with more tokens than the model is refused", async () => {
  const files = await filesOf(LLAMA);
  const tokenizer = jsonBytes({ model: { vocab: { a: 7 } } });
  await assert.rejects(load(new Map(files).set("tokenizer.json", tokenizer)), {
    name: "RangeError",
    message: /below the model's vocabSize 7, got 7 for "a"$/,
  });
});

test("GPT-2's own files read with theta and layout as they are by default", async () => {
  const { config } = await load(await filesOf({ ...GPT2, theta: 7, rotaryLayout: "interleaved" }));
  assert.deepEqual([config.theta, config.rotaryLayout], [DEFAULT_CONFIG.theta, "half"]);
});
