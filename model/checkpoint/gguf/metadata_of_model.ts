import type { GgufVocabulary } from "../../../data/tokenizer/vocabulary_data.ts";
import type { ModelConfig } from "../../transformer/config.ts";
import { yarnAttentionFactor } from "./config.ts";
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
  const metadata = new Map<string, GgufValue>();
  const text = (key: string, value: string) => metadata.set(key, { type: "string", value });
  const size = (key: string, value: number) =>
    metadata.set(`${architecture}.${key}`, { type: "uint32", value });
  const number = (key: string, value: number) =>
    metadata.set(`${architecture}.${key}`, { type: "float32", value });
  text("general.architecture", architecture);
  text("general.type", "model");
  text("general.name", name);
  metadata.set("general.file_type", { type: "uint32", value: fileType });
  metadata.set("general.quantization_version", { type: "uint32", value: 2 });
  size("vocab_size", config.vocabSize);
  size("context_length", config.maxSeqLen);
  size("embedding_length", config.dModel);
  size("block_count", config.numBlocks);
  size("feed_forward_length", config.dHidden);
  size("attention.head_count", config.numHeads);
  size("attention.head_count_kv", config.numKvHeads);
  if (config.slidingWindow !== null) size("attention.sliding_window", config.slidingWindow);
  if (architecture === "gpt2") {
    number("attention.layer_norm_epsilon", config.eps);
    return metadata;
  }
  number("attention.layer_norm_rms_epsilon", config.eps);
  size("attention.key_length", config.headDim);
  size("attention.value_length", config.headDim);
  size("rope.dimension_count", config.headDim);
  number("rope.freq_base", config.theta);
  const scaling = config.ropeScaling;
  if (scaling?.type === "linear" || scaling?.type === "yarn") {
    text(`${architecture}.rope.scaling.type`, scaling.type);
    number("rope.scaling.factor", scaling.factor);
  }
  if (scaling?.type === "yarn") {
    size("rope.scaling.original_context_length", scaling.originalMaxSeqLen);
    number("rope.scaling.yarn_beta_fast", scaling.betaFast);
    number("rope.scaling.yarn_beta_slow", scaling.betaSlow);
    const attention = scaling.attentionFactor / yarnAttentionFactor(scaling.factor);
    if (Math.fround(attention) !== 1) number("rope.scaling.attn_factor", attention);
  }
  return metadata;
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
  const metadata = new Map<string, GgufValue>();
  const put = (key: string, given: GgufValue | { type: GgufValue["type"]; value: undefined }) => {
    if (given.value !== undefined) metadata.set(`tokenizer.ggml.${key}`, given);
  };
  if (vocabulary === undefined) {
    put("model", { type: "string", value: "no_vocab" });
    return metadata;
  }
  const missing = vocabSize - vocabulary.tokens.length;
  if (missing < 0) {
    const { length } = vocabulary.tokens;
    throw new RangeError(
      `Cannot write a GGUF file: the vocabulary must have at most ${vocabSize} tokens, got ${length}`,
    );
  }
  const fill = (values: ArrayLike<number>, filler: number): number[] => [
    ...Array.from(values),
    ...Array.from({ length: missing }, () => filler),
  ];
  const { model, pre, tokens, scores, merges, charsMap, chatTemplate } = vocabulary;
  const types = vocabulary.tokenTypes ?? tokens.map(() => 1);
  const padding = Array.from({ length: missing }, (_, i) => `[PAD${tokens.length + i}]`);
  put("model", { type: "string", value: model });
  put("pre", { type: "string", value: pre });
  put("tokens", { type: "strings", value: [...tokens, ...padding] });
  put("scores", { type: "float32s", value: scores && fill(scores, -1000) });
  put("token_type", { type: "int32s", value: fill(types, UNUSED) });
  put("merges", { type: "strings", value: merges });
  put("bos_token_id", { type: "uint32", value: vocabulary.bosId });
  put("eos_token_id", { type: "uint32", value: vocabulary.eosId });
  put("unknown_token_id", { type: "uint32", value: vocabulary.unkId });
  put("padding_token_id", { type: "uint32", value: vocabulary.padId });
  put("add_bos_token", { type: "bool", value: vocabulary.addBos });
  put("add_eos_token", { type: "bool", value: vocabulary.addEos });
  put("add_space_prefix", { type: "bool", value: vocabulary.addSpacePrefix });
  put("remove_extra_whitespaces", { type: "bool", value: vocabulary.removeExtraSpaces });
  if (charsMap !== undefined) {
    const bytes = Array.from(atob(charsMap), (character) => character.charCodeAt(0));
    put("precompiled_charsmap", { type: "uint8s", value: bytes });
  }
  if (chatTemplate !== undefined) {
    metadata.set("tokenizer.chat_template", { type: "string", value: chatTemplate });
  }
  return metadata;
}
