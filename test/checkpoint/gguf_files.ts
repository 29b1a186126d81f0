import assert from "node:assert/strict";
import type { GgufVocabulary } from "../../data/tokenizer/vocabulary_data.ts";
import { bytesSource } from "../../model/checkpoint/byte_source.ts";
import { encodeGguf, type GgufOutputType } from "../../model/checkpoint/gguf/encode.ts";
import { storedGgufModel } from "../../model/checkpoint/gguf/stored_model.ts";
import { toFloat32 } from "../../model/checkpoint/gguf/to_float32.ts";
import { readGgufVocabulary } from "../../model/checkpoint/gguf/vocabulary.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";

/** Name of the files in errors. */
export const FILE = "model.gguf";

/** A Llama whose `down_proj` has rows of 40 values, which are not whole blocks. */
export const LLAMA: ModelConfig = {
  ...DEFAULT_CONFIG,
  vocabSize: 7,
  dModel: 64,
  dHidden: 40,
  numBlocks: 2,
  numHeads: 4,
  numKvHeads: 2,
  headDim: 16,
  maxSeqLen: 8,
  tieEmbeddings: false,
};

/** Every family that GGUF files are written as, and every way to scale rotary frequencies. */
export const MODELS: Readonly<Record<string, ModelConfig>> = {
  llama: LLAMA,
  "llama, tied, with all biases": { ...LLAMA, tieEmbeddings: true, bias: "all" },
  "llama, with biases of the attention": { ...LLAMA, bias: "attention" },
  "mistral, with a window as long as its context": { ...LLAMA, slidingWindow: 8, theta: 1e6 },
  "llama 3": {
    ...LLAMA,
    theta: 500_000,
    headDim: 64,
    ropeScaling: {
      type: "llama3",
      factor: 32,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxSeqLen: 8192,
    },
  },
  "llama, linear": { ...LLAMA, ropeScaling: { type: "linear", factor: 2.5 } },
  qwen2: { ...LLAMA, bias: "qkv", eps: 1e-6, tieEmbeddings: true },
  "qwen2, yarn": {
    ...LLAMA,
    bias: "qkv",
    ropeScaling: {
      type: "yarn",
      factor: 4,
      originalMaxSeqLen: 32_768,
      betaFast: 32,
      betaSlow: 1,
      attentionFactor: 0.1 * Math.log(4) + 1,
    },
  },
  qwen3: { ...LLAMA, qkNorm: true, headDim: 32, theta: 1e6 },
  gpt2: {
    ...LLAMA,
    numKvHeads: 4,
    norm: "layerNorm",
    position: "learned",
    mlp: "geluTanh",
    bias: "all",
    tieEmbeddings: true,
  },
};

/** A vocabulary of seven tokens with every field that a file can have. */
export const VOCABULARY: GgufVocabulary = {
  model: "llama",
  pre: "default",
  tokens: ["<unk>", "<s>", "</s>", "<0x41>", "▁", "▁ä", "😀"],
  scores: Float32Array.of(0, 0, 0, 0, -1, -2.5, -3),
  tokenTypes: [2, 3, 3, 6, 1, 1, 4],
  merges: ["▁ ä"],
  bosId: 1,
  eosId: 2,
  unkId: 0,
  padId: 2,
  addBos: true,
  addEos: false,
  addSpacePrefix: true,
  removeExtraSpaces: false,
  charsMap: "AAEC/w==",
  chatTemplate: "{{ messages }}",
};

/** Random numbers from 0 to 1 that are the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Values for every weight. */
export function randomWeights(
  config: ModelConfig,
  seed = 1,
): Map<string, Float32Array<ArrayBuffer>> {
  const random = seeded(seed);
  return new Map(
    Array.from(weightShapes(config), ({ label, shape }) => {
      const length = shape.reduce((product, n) => product * n, 1);
      return [label, Float32Array.from({ length }, () => 4 * random() - 2)];
    }),
  );
}

/** A GGUF file of a model. */
export async function ggufFile(
  config: ModelConfig,
  options: {
    weights?: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
    type?: GgufOutputType;
    vocabulary?: GgufVocabulary;
  } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { type = "F32", weights = randomWeights(config), vocabulary } = options;
  const chunks: BlobPart[] = [];
  for await (const chunk of encodeGguf({
    config,
    type,
    weights: (label) => Promise.resolve(weights.get(label)!),
    ...(vocabulary !== undefined && { vocabulary }),
  })) {
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** Small files of every family, type and kind, to be changed at will. */
export async function ggufCorpus(): Promise<Uint8Array<ArrayBuffer>[]> {
  const tiny = { dModel: 32, dHidden: 32, numHeads: 2, headDim: 16, vocabSize: 7, numBlocks: 1 };
  const files: Uint8Array<ArrayBuffer>[] = [];
  for (const config of Object.values(MODELS)) {
    for (const type of ["F16", "Q8_0"] as const) {
      const numKvHeads = config.numKvHeads === config.numHeads ? 2 : 1;
      files.push(
        await ggufFile({ ...config, ...tiny, numKvHeads }, { type, vocabulary: VOCABULARY }),
      );
    }
  }
  return files;
}

/** Integers that break what counts on small ones. */
const EXTREME = [0, 1, 0x7f, 0x80, 0xff, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** A file changed in one to four places: bits, integers, lengths, pieces moved or cut out. */
export function mutate(
  file: Uint8Array<ArrayBuffer>,
  random: () => number,
): Uint8Array<ArrayBuffer> {
  let bytes = file.slice();
  const below = (n: number): number => Math.floor(random() * n);
  for (let changes = 1 + below(4); changes > 0; changes--) {
    // Headers are where damage counts: four of five changes go to the first part.
    const at = below(random() < 0.8 ? Math.min(bytes.length, 3000) : bytes.length);
    const kind = below(6);
    const view = new DataView(bytes.buffer);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    else if (kind === 1) bytes[at] = below(256);
    else if (kind === 2 && at + 4 <= bytes.length) view.setUint32(at, EXTREME[below(9)]!, true);
    else if (kind === 3) bytes = bytes.slice(0, at);
    else if (kind === 4) bytes.copyWithin(at, below(bytes.length), below(bytes.length));
    else {
      const end = Math.min(bytes.length, at + 1 + below(16));
      bytes = Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(end)]);
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}

/** Loads all of a file; fails unless that works or gives a typed error that names the file. */
export async function assertSafe(bytes: Uint8Array<ArrayBuffer>): Promise<"read" | "refused"> {
  try {
    const { weights, config } = await storedGgufModel(bytesSource(bytes, FILE));
    let count = 0;
    for (const { label, shape } of weightShapes(config)) {
      const weight = weights.get(label);
      assert.ok(weight !== undefined, label);
      assert.deepEqual(weight.shape, shape);
      const values = toFloat32(await weight.read());
      const length = shape.reduce((product, n) => product * n, 1);
      assert.equal(values.length, length);
      count++;
    }
    assert.equal(weights.size, count);
    return "read";
  } catch (error) {
    assertTyped(error);
  }
  try {
    await readGgufVocabulary(bytesSource(bytes, FILE));
  } catch (error) {
    assertTyped(error);
  }
  return "refused";
}

function assertTyped(error: unknown): void {
  assert.ok(error instanceof SyntaxError, String(error));
  assert.match(error.message, /^Cannot read "model\.gguf": .*, got /s);
}
