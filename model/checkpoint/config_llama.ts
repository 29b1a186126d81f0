import { biasesOf, DEFAULT_CONFIG, type ModelConfig } from "../transformer/config.ts";
import type { Fields } from "./fields.ts";
import { ropeFromJson, ropeScalingToJson } from "./rope_scaling_json.ts";
import type { JsonObject } from "./strict_json.ts";

/** Families that share Llama's fields. */
export type LlamaType = "llama" | "mistral" | "qwen2" | "qwen3";

/** What stands for a field that a file of the family leaves out. */
interface Defaults {
  readonly architecture: string;
  readonly maxSeqLen: number;
  /** @default {the number of query heads} */
  readonly numKvHeads?: number;
  /** @default {the width of the model over the number of heads} */
  readonly headDim?: number;
}

/** As the classes of Hugging Face's library have them. */
const DEFAULTS: Readonly<Record<LlamaType, Defaults>> = {
  llama: { architecture: "LlamaForCausalLM", maxSeqLen: 2048 },
  mistral: { architecture: "MistralForCausalLM", maxSeqLen: 131_072, numKvHeads: 8 },
  qwen2: { architecture: "Qwen2ForCausalLM", maxSeqLen: 32_768, numKvHeads: 32 },
  qwen3: { architecture: "Qwen3ForCausalLM", maxSeqLen: 32_768, numKvHeads: 32, headDim: 128 },
};

/** Keys that a query of Mistral sees where the file does not say. */
const MISTRAL_WINDOW = 4096;

/** Content of `config.json` of Llama and the families that grew from it. */
export function llamaToJson(config: ModelConfig, modelType: LlamaType): JsonObject {
  return {
    architectures: [DEFAULTS[modelType].architecture],
    model_type: modelType,
    vocab_size: config.vocabSize,
    hidden_size: config.dModel,
    intermediate_size: config.dHidden,
    num_hidden_layers: config.numBlocks,
    num_attention_heads: config.numHeads,
    num_key_value_heads: config.numKvHeads,
    head_dim: config.headDim,
    max_position_embeddings: config.maxSeqLen,
    hidden_act: "silu",
    rms_norm_eps: config.eps,
    rope_theta: config.theta,
    rope_scaling: ropeScalingToJson(config.ropeScaling),
    ...biasToJson(config, modelType),
    ...windowToJson(config, modelType),
    attention_dropout: 0,
    tie_word_embeddings: config.tieEmbeddings,
    // The families' own fields know no dropout but that of attention weights.
    tenure: { dropout: config.dropout },
  };
}

/**
 * Reads `config.json` of Llama and the families that grew from it.
 *
 * @throws {SyntaxError} If a field is missing, malformed, or asks for what is not supported.
 */
export function llamaFromJson(fields: Fields, modelType: LlamaType): ModelConfig {
  const { maxSeqLen: usualSeqLen, numKvHeads, headDim } = DEFAULTS[modelType];
  fields.choice("hidden_act", ["silu"], { orElse: "silu" });
  const dModel = fields.size("hidden_size");
  const numHeads = fields.size("num_attention_heads");
  const numBlocks = fields.size("num_hidden_layers");
  const maxSeqLen = fields.size("max_position_embeddings", { orElse: usualSeqLen });
  const { theta, scaling } = ropeFromJson(fields, maxSeqLen);
  // Null asks for what fits the other sizes, even where a family has another default.
  const sizeOr = (key: string, ifAbsent: number | undefined, ifNull: number) =>
    fields.size(key, { orElse: fields.raw(key) === null ? ifNull : (ifAbsent ?? ifNull) });
  return {
    ...DEFAULT_CONFIG,
    vocabSize: fields.size("vocab_size"),
    dModel,
    dHidden: fields.size("intermediate_size"),
    numBlocks,
    numHeads,
    numKvHeads: sizeOr("num_key_value_heads", numKvHeads, numHeads),
    headDim: sizeOr("head_dim", headDim, dModel / numHeads),
    maxSeqLen,
    eps: fields.number("rms_norm_eps", { orElse: 1e-6 }),
    theta,
    ropeScaling: scaling,
    bias: biasFromJson(fields, modelType),
    qkNorm: modelType === "qwen3",
    slidingWindow: windowFromJson(fields, modelType, numBlocks),
    tieEmbeddings: fields.boolean("tie_word_embeddings", { orElse: false }),
    dropout: fields.object("tenure").number("dropout", { orElse: 0 }),
  };
}

function biasToJson(config: ModelConfig, modelType: LlamaType): JsonObject {
  const { output, mlp } = biasesOf(config);
  if (modelType === "llama") return { attention_bias: output, mlp_bias: mlp };
  return modelType === "qwen3" ? { attention_bias: output } : {};
}

function biasFromJson(fields: Fields, modelType: LlamaType): ModelConfig["bias"] {
  if (modelType === "qwen2") return "qkv";
  if (modelType === "mistral") {
    fields.only("attention_bias", [false], "must be false, the family has no biases");
    return "none";
  }
  const attention = fields.boolean("attention_bias", { orElse: false });
  const mlp = modelType === "llama" && fields.boolean("mlp_bias", { orElse: false });
  if (mlp && !attention) fields.refuse("mlp_bias", "must be false, as attention_bias is");
  return mlp ? "all" : attention ? "attention" : "none";
}

function windowToJson(config: ModelConfig, modelType: LlamaType): JsonObject {
  const { slidingWindow, numBlocks } = config;
  if (modelType === "llama") return {};
  if (modelType === "mistral") return { sliding_window: slidingWindow };
  const isWindowed = slidingWindow !== null;
  return {
    use_sliding_window: isWindowed,
    sliding_window: slidingWindow,
    max_window_layers: isWindowed ? 0 : numBlocks,
  };
}

function windowFromJson(fields: Fields, modelType: LlamaType, numBlocks: number): number | null {
  if (modelType === "llama") return null;
  if (modelType === "mistral") {
    const window = fields.raw("sliding_window");
    return window === null ? null : fields.size("sliding_window", { orElse: MISTRAL_WINDOW });
  }
  const isUsed = fields.boolean("use_sliding_window", { orElse: false });
  if (!isUsed || fields.raw("sliding_window") === null) return null;
  const window = fields.size("sliding_window", { orElse: 4096 });
  return isEveryBlockWindowed(fields, numBlocks) ? window : null;
}

/** Whether all of Qwen's blocks slide a window, not none; some alone are not supported. */
function isEveryBlockWindowed(fields: Fields, numBlocks: number): boolean {
  const types = fields.raw("layer_types") ?? null;
  if (types !== null) {
    const rule = "must be full_attention for all blocks, or sliding_attention for all";
    if (!Array.isArray(types) || types.length !== numBlocks) fields.refuse("layer_types", rule);
    const [type] = types as readonly unknown[];
    if (type !== "full_attention" && type !== "sliding_attention") {
      fields.refuse("layer_types", rule);
    }
    if (types.some((other) => other !== type)) fields.refuse("layer_types", rule);
    return type === "sliding_attention";
  }
  const first = fields.number("max_window_layers", { orElse: 28 });
  if (first <= 0) return true;
  if (first >= numBlocks) return false;
  return fields.refuse(
    "max_window_layers",
    `must be 0 or num_hidden_layers ${numBlocks}, since all blocks see alike`,
  );
}
