import type { GgufVocabulary } from "../../../data/tokenizer/vocabulary_data.ts";
import { yarnAttentionFactor } from "../../../engine/ops/rope_scaling.ts";
import type { ModelConfig } from "../../transformer/config.ts";
import type { GgufValue } from "./header_writer.ts";
import type { Architecture } from "./names.ts";

/** Kind of a token that nothing stands for. */
const UNUSED = 5;

/**
 * The family that a model is written as.
 *
 * @throws {RangeError} If llama.cpp has none that computes what the model does.
 */
export function architectureOf(config: ModelConfig): Architecture {
  checkWindow(config);
  const { norm, position, mlp, bias, qkNorm, rotaryLayout, ropeScaling } = config;
  const { numHeads, numKvHeads, headDim, dModel } = config;
  const hasPlainHeads = numKvHeads === numHeads && numHeads * headDim === dModel;
  if (norm === "layerNorm" && position === "learned" && mlp === "geluTanh" && bias === "all") {
    if (hasPlainHeads && !qkNorm) return "gpt2";
  }
  if (norm === "rmsNorm" && position === "rotary" && mlp === "swiGlu") {
    const isHalf = rotaryLayout === "half" && ropeScaling?.type !== "llama3";
    if (qkNorm && isHalf && bias === "none") return "qwen3";
    if (!qkNorm && isHalf && bias === "qkv") return "qwen2";
    if (!qkNorm) return "llama";
  }
  throw new RangeError(
    "Cannot write a GGUF file: the model must be what llama.cpp knows as llama, qwen2, qwen3 or " +
      `gpt2, got ${norm}, ${position} positions, ${mlp}, biases: ${bias}, qkNorm: ${qkNorm}`,
  );
}

/** A window as long as the context changes nothing; a shorter one, llama.cpp would leave out. */
function checkWindow({ slidingWindow, maxSeqLen }: ModelConfig): void {
  if (slidingWindow === null || slidingWindow >= maxSeqLen) return;
  throw new RangeError(
    "Cannot write a GGUF file: the model must attend to its whole context, as llama.cpp computes " +
      `no sliding window for its family, got a window of ${slidingWindow} tokens; write ` +
      "safetensors instead, which keep it",
  );
}

/**
 * Metadata of a model, in the keys of its family.
 *
 * @param name What the model is called.
 * @param fileType GGUF's number of the type that most weights have.
 */
export function metadataOfConfig(
  config: ModelConfig,
  architecture: Architecture,
  { name, fileType }: { readonly name: string; readonly fileType: number },
): Map<string, GgufValue> {
  return new Map([
    ["general.architecture", text(architecture)],
    ["general.type", text("model")],
    ["general.name", text(name)],
    ["general.file_type", size(fileType)],
    ["general.quantization_version", size(2)],
    ...[
      ...sizeFields(config),
      ...(architecture === "gpt2" ? gpt2Fields : rotaryFields)(config),
    ].map(([key, value]): Field => [`${architecture}.${key}`, value]),
  ]);
}

/** Key and value. */
type Field = [key: string, value: GgufValue];

const text = (value: string): GgufValue => ({ type: "string", value });
const size = (value: number): GgufValue => ({ type: "uint32", value });
const number = (value: number): GgufValue => ({ type: "float32", value });

/** What all families have. */
function sizeFields(config: ModelConfig): Field[] {
  const { slidingWindow } = config;
  return [
    ["vocab_size", size(config.vocabSize)],
    ["context_length", size(config.maxSeqLen)],
    ["embedding_length", size(config.dModel)],
    ["block_count", size(config.numBlocks)],
    ["feed_forward_length", size(config.dHidden)],
    ["attention.head_count", size(config.numHeads)],
    ["attention.head_count_kv", size(config.numKvHeads)],
    ...(slidingWindow === null
      ? []
      : [["attention.sliding_window", size(slidingWindow)] satisfies Field]),
  ];
}

function gpt2Fields({ eps }: ModelConfig): Field[] {
  return [["attention.layer_norm_epsilon", number(eps)]];
}

/** What families with rotary positions have. */
function rotaryFields({ eps, headDim, theta, ropeScaling: scaling }: ModelConfig): Field[] {
  const fields: Field[] = [
    ["attention.layer_norm_rms_epsilon", number(eps)],
    ["attention.key_length", size(headDim)],
    ["attention.value_length", size(headDim)],
    ["rope.dimension_count", size(headDim)],
    ["rope.freq_base", number(theta)],
  ];
  if (scaling?.type === "linear" || scaling?.type === "yarn") {
    fields.push(["rope.scaling.type", text(scaling.type)]);
    fields.push(["rope.scaling.factor", number(scaling.factor)]);
  }
  if (scaling?.type !== "yarn") return fields;
  fields.push(["rope.scaling.original_context_length", size(scaling.originalMaxSeqLen)]);
  fields.push(["rope.scaling.yarn_beta_fast", number(scaling.betaFast)]);
  fields.push(["rope.scaling.yarn_beta_slow", number(scaling.betaSlow)]);
  const attention = scaling.attentionFactor / yarnAttentionFactor(scaling.factor);
  if (Math.fround(attention) !== 1) fields.push(["rope.scaling.attn_factor", number(attention)]);
  return fields;
}

/**
 * Metadata of a vocabulary; without one, what tells llama.cpp that there is none. Rows of the
 * embedding that no token has become unused tokens.
 *
 * @throws {RangeError} If there are more tokens than rows of the embedding.
 */
export function metadataOfVocabulary(
  vocabulary: GgufVocabulary | undefined,
  vocabSize: number,
): Map<string, GgufValue> {
  if (vocabulary === undefined) return new Map([["tokenizer.ggml.model", text("no_vocab")]]);
  const { chatTemplate } = vocabulary;
  const fields = [...tokenFields(vocabulary, vocabSize), ...roleFields(vocabulary)].flatMap(
    ([key, value]): Field[] => (value === undefined ? [] : [[`tokenizer.ggml.${key}`, value]]),
  );
  if (chatTemplate !== undefined) fields.push(["tokenizer.chat_template", text(chatTemplate)]);
  return new Map(fields);
}

/** Key and value, if there is one. */
type PerhapsField = [key: string, value: GgufValue | undefined];

/** The model and its lists, as long as the embedding. */
function tokenFields(vocabulary: GgufVocabulary, vocabSize: number): PerhapsField[] {
  const { model, pre, tokens, scores, merges } = vocabulary;
  const missing = vocabSize - tokens.length;
  if (missing < 0) {
    throw new RangeError(
      `Cannot write a GGUF file: the vocabulary must have at most ${vocabSize} tokens, got ${tokens.length}`,
    );
  }
  const fill = (values: ArrayLike<number>, filler: number): number[] => [
    ...Array.from(values),
    ...Array.from({ length: missing }, () => filler),
  ];
  const types = vocabulary.tokenTypes ?? tokens.map(() => 1);
  const padding = Array.from({ length: missing }, (_, i) => `[PAD${tokens.length + i}]`);
  return [
    ["model", text(model)],
    ["pre", pre === undefined ? undefined : text(pre)],
    ["tokens", { type: "strings", value: [...tokens, ...padding] }],
    ["scores", scores && { type: "float32s", value: fill(scores, -1000) }],
    ["token_type", { type: "int32s", value: fill(types, UNUSED) }],
    ["merges", merges && { type: "strings", value: merges }],
  ];
}

/** Tokens with a role, and how text is treated. */
function roleFields(vocabulary: GgufVocabulary): PerhapsField[] {
  const { charsMap } = vocabulary;
  const id = (value: number | undefined) => (value === undefined ? undefined : size(value));
  const flag = (value: boolean | undefined): GgufValue | undefined =>
    value === undefined ? undefined : { type: "bool", value };
  const bytes = charsMap && Array.from(atob(charsMap), (character) => character.charCodeAt(0));
  return [
    ["bos_token_id", id(vocabulary.bosId)],
    ["eos_token_id", id(vocabulary.eosId)],
    ["unknown_token_id", id(vocabulary.unkId)],
    ["padding_token_id", id(vocabulary.padId)],
    ["add_bos_token", flag(vocabulary.addBos)],
    ["add_eos_token", flag(vocabulary.addEos)],
    ["add_space_prefix", flag(vocabulary.addSpacePrefix)],
    ["remove_extra_whitespaces", flag(vocabulary.removeExtraSpaces)],
    ["precompiled_charsmap", bytes ? { type: "uint8s", value: bytes } : undefined],
  ];
}
