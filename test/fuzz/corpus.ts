import type { GgufVocabulary } from "../../data/tokenizer/vocabulary_data.ts";
import { tokenizerJsonOfVocabulary } from "../../data/tokenizer/vocabulary_json.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { FAMILIES, LLAMA } from "../checkpoint/arbitrary_model.ts";
import { ggufCorpus } from "../checkpoint/gguf_files.ts";
import { type Files, filesOf, jsonBytes } from "../checkpoint/memory_files.ts";
import { own, wordPiece } from "../data/tokenizer_files.ts";
import type { Bytes } from "./changes.ts";

/** A Llama of 400 kilobytes. */
const LARGE: ModelConfig = {
  ...LLAMA,
  vocabSize: 300,
  dModel: 64,
  dHidden: 128,
  numHeads: 4,
  numKvHeads: 2,
  headDim: 16,
  maxSeqLen: 64,
};

const TOKENIZER = { model: { type: "WordPiece", unk_token: "a", vocab: { a: 0, b: 1 } } };

/** Folders in Hugging Face's layout: every family and type. */
export async function folders(options: {
  readonly isLarge?: boolean;
  readonly withTokenizer?: boolean;
  readonly maxShardBytes?: number;
}): Promise<Files[]> {
  const { isLarge = false, withTokenizer = false, maxShardBytes = Infinity } = options;
  const configs = isLarge ? [LARGE] : FAMILIES.map(([, config]) => scaled(config));
  const generation = { beginToken: 1, endTokens: [2], temperature: 0.5, topK: 3 };
  const tokenizerConfig = { bos_token: "a", eos_token: "b", add_bos_token: true };
  const made: Files[] = [];
  for (const config of configs) {
    for (const dtype of ["F32", "F16", "BF16"] as const) {
      const files = await filesOf(config, {
        dtype,
        ...(Number.isFinite(maxShardBytes) && { maxShardBytes }),
        ...(withTokenizer && { tokenizer: TOKENIZER, tokenizerConfig, generation }),
      });
      if (withTokenizer) files.set("config.json", withAliases(files.get("config.json")!));
      made.push(files);
    }
  }
  return made;
}

/** Adds scaled rotary positions to a family that knows them. */
function scaled(config: ModelConfig): ModelConfig {
  if (config.position !== "rotary" || config.qkNorm || config.slidingWindow !== null) return config;
  return { ...config, ropeScaling: { type: "linear", factor: 2 } };
}

/** Fields that other programs write, and that must be ignored or understood. */
function withAliases(config: Bytes): Bytes {
  const json = JSON.parse(new TextDecoder().decode(config)) as Record<string, never>;
  return jsonBytes({
    ...json,
    bos_token_id: 1,
    eos_token_id: [2, 3],
    use_cache: true,
    transformers_version: "4.50.0",
  });
}

/** GGUF files of every family, type and kind. */
export function ggufFiles(): Promise<Bytes[]> {
  return ggufCorpus();
}

/** Models of llama2.c, with an output layer of their own and without. */
export function llama2cFiles(): Bytes[] {
  const [dim, hidden, layers, heads, kvHeads, vocab, context] = [8, 3, 2, 2, 1, 5, 6];
  const perBlock = 2 * dim + 2 * dim * dim + 2 * (dim / heads) * kvHeads * dim + 3 * dim * hidden;
  return [1, 2].map((numTables) => {
    const numValues = layers * perBlock + (context * dim) / heads + numTables * vocab * dim + dim;
    const sizes = [dim, hidden, layers, heads, kvHeads, numTables === 1 ? vocab : -vocab, context];
    const values = Float32Array.from({ length: numValues }, (_, i) => i / 8);
    return Uint8Array.from(
      Buffer.concat([new Uint8Array(Int32Array.from(sizes).buffer), new Uint8Array(values.buffer)]),
    );
  });
}

/** A vocabulary as SentencePiece's BPE has it. */
const VOCABULARY: GgufVocabulary = {
  model: "llama",
  tokens: ["<unk>", "<s>", "</s>", "▁", "a", "▁a", "b", "ab", "t", "h", "th", "▁th"],
  scores: Float32Array.of(0, 0, 0, -3, -4, -1, -5, -2, -6, -7, -8, -9),
  tokenTypes: [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  bosId: 1,
  eosId: 2,
  unkId: 0,
};

/** Every model that `tokenizer.json` can have. */
export function jsonTokenizers(): Bytes[] {
  const unigram = { ...VOCABULARY, model: "t5", removeExtraSpaces: true } as const;
  const gpt2: GgufVocabulary = {
    model: "gpt2",
    pre: "gpt-2",
    tokens: ["a", "b", "ab", "Ġ", "Ġa", "t", "h", "th", "<|end|>"],
    tokenTypes: [1, 1, 1, 1, 1, 1, 1, 1, 3],
    merges: ["a b", "Ġ a", "t h"],
    eosId: 8,
  };
  const made = [VOCABULARY, unigram, gpt2].map((one) => tokenizerJsonOfVocabulary(one));
  return [...made, own, wordPiece].map((json) =>
    Uint8Array.from(Buffer.from(JSON.stringify(json))),
  );
}

/** SentencePiece's files: BPE and unigram, with roles, and with rules for spaces. */
export function sentencePieceFiles(): Bytes[] {
  const { tokens, scores, tokenTypes } = VOCABULARY;
  const pieces = tokens.map((text, id) =>
    field(1, [
      ...field(1, Buffer.from(text)),
      0x15,
      ...new Uint8Array(Float32Array.of(scores![id]!).buffer),
      0x18,
      tokenTypes![id]!,
    ]),
  );
  const normalizers = [
    [0x20, 1, 0x28, 1],
    [...field(1, Buffer.from("nmt_nfkc")), 0x18, 0, 0x20, 0],
  ];
  return [1, 2].flatMap((modelType) =>
    normalizers.map((normalizer) =>
      // trainer_spec: the model's type, then the ids of <unk>, <s>, </s>.
      Uint8Array.from([
        ...pieces.flat(),
        ...field(2, [0x18, modelType, 0xc0, 2, 0, 0xc8, 2, 1, 0xd0, 2, 2]),
        ...field(3, normalizer),
      ]),
    ),
  );
}

/** A field of bytes of a protocol buffer, shorter than 128. */
function field(number: number, bytes: Iterable<number>): number[] {
  const values = [...bytes];
  return [8 * number + 2, values.length, ...values];
}

/** llama2.c's `tokenizer.bin`, with bytes and some words. */
export function tokenizerBins(): Bytes[] {
  const byte = (_: unknown, i: number) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`;
  const tokens = ["<unk>", "\n<s>\n", "\n</s>\n", ...Array.from({ length: 256 }, byte)];
  tokens.push(" ", "a", " a", "t", "h", "th", " th", "é");
  const entries = tokens.map((text, id) => {
    const bytes = Buffer.from(text);
    const head = Buffer.alloc(8);
    head.writeFloatLE(-id, 0);
    head.writeInt32LE(bytes.length, 4);
    return Buffer.concat([head, bytes]);
  });
  const longest = Buffer.alloc(4);
  longest.writeInt32LE(7, 0);
  return [Uint8Array.from(Buffer.concat([longest, ...entries]))];
}
