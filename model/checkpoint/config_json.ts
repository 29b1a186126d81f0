import { biasesOf, checkConfig, DEFAULT_CONFIG, type ModelConfig } from "../transformer/config.ts";
import { Fields } from "./fields.ts";
import type { JsonObject } from "./strict_json.ts";
import { countWeights } from "../transformer/weight_shapes.ts";

/** Families that a `config.json` may name; the last one is our own, for all other combinations. */
export const MODEL_TYPES = ["llama", "gpt2", "tenure"] as const;

/** A family of models, as `config.json` names it. */
export type ModelType = (typeof MODEL_TYPES)[number];

/** GPT-2's names of activation functions. */
const GPT2_ACTIVATIONS = { geluTanh: "gelu_new", gelu: "gelu", silu: "silu" } as const;

/** And back; one of them has two names. */
const ACTIVATIONS_OF_GPT2 = {
  gelu_new: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  gelu: "gelu",
  silu: "silu",
} as const;

/**
 * The family that a model is written as.
 *
 * `"llama"`: RMSNorm, rotary positions in halves, SwiGLU. `"gpt2"`: LayerNorm, learned positions,
 * no gate, biases, as many key as query heads, which together are as wide as the model. Every
 * other combination, interleaved rotary positions among them, is `"tenure"`, which keeps each
 * weight as it is; other programs do not read it.
 */
export function modelTypeOf(config: ModelConfig): ModelType {
  const { norm, position, rotaryLayout, mlp, bias } = config;
  const { numHeads, numKvHeads, headDim, dModel } = config;
  if (norm === "rmsNorm" && position === "rotary" && rotaryLayout === "half" && mlp === "swiGlu") {
    return "llama";
  }
  const hasPlainHeads = numKvHeads === numHeads && numHeads * headDim === dModel;
  return norm === "layerNorm" && position === "learned" && mlp !== "swiGlu" && bias === "all" && hasPlainHeads
    ? "gpt2"
    : "tenure";
}

/**
 * Content of `config.json`, in the fields of the model's family.
 *
 * Of a model with learned positions, `theta` and `rotaryLayout` mean nothing; GPT-2's family
 * drops them, and reading gives the defaults.
 *
 * @throws {RangeError} If the sizes do not fit together.
 */
export function configToJson(config: ModelConfig): JsonObject {
  checkConfig(config);
  const writers = { llama: llamaToJson, gpt2: gpt2ToJson, tenure: ownToJson };
  return writers[modelTypeOf(config)](config);
}

/**
 * Reads `config.json`, of this program or another, before anything is allocated.
 *
 * @param json Content of the file.
 * @param file Its name, for errors.
 * @returns The configuration, and the family whose names the weights have.
 * @throws {SyntaxError} If a field is missing, of the wrong kind, or asks for what is not
 * supported: an unknown family, scaled rotary positions, quantized weights, code to run.
 * @throws {RangeError} If the sizes do not fit together.
 */
export function configFromJson(
  json: JsonObject,
  file: string,
): { readonly config: ModelConfig; readonly modelType: ModelType } {
  const fields = new Fields(json, file);
  fields.only("auto_map", [], "must be absent, since code of a model is never run");
  fields.only("quantization_config", [], "must be absent; save the model with float32 weights");
  const modelType = fields.choice("model_type", MODEL_TYPES);
  const readers = { llama: llamaFromJson, gpt2: gpt2FromJson, tenure: ownFromJson };
  const config = readers[modelType](fields);
  try {
    checkConfig(config);
    checkCount(config);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`Cannot read "${file}": ${error.message}`, { cause: error });
  }
  return { config, modelType };
}

/** Whether a model has so many weights that their bytes cannot even be counted. */
function checkCount(config: ModelConfig): void {
  const bytes = countWeights(config) * Float32Array.BYTES_PER_ELEMENT;
  if (!Number.isSafeInteger(bytes)) {
    throw new RangeError(
      `Cannot build a model: weights must take fewer than 2^53 bytes, got ${bytes.toPrecision(3)}`,
    );
  }
}

function llamaToJson(config: ModelConfig): JsonObject {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
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
    rope_scaling: null,
    attention_bias: biasesOf(config).output,
    attention_dropout: 0,
    mlp_bias: biasesOf(config).mlp,
    tie_word_embeddings: config.tieEmbeddings,
    torch_dtype: "float32",
    // Llama's own fields know no dropout but that of attention weights.
    tenure: { dropout: config.dropout },
  };
}

function llamaFromJson(fields: Fields): ModelConfig {
  const rope = fields.object("rope_parameters");
  const scaling = fields.object("rope_scaling");
  for (const group of [rope, scaling]) {
    for (const key of ["rope_type", "type"]) {
      group.only(key, ["default"], "of rotary positions must be default, scaling is not supported");
    }
  }
  for (const group of [fields, rope]) {
    group.only("partial_rotary_factor", [1], "must be 1, whole heads are rotated");
  }
  fields.choice("hidden_act", ["silu"], { orElse: "silu" });
  const attentionBias = fields.boolean("attention_bias", { orElse: false });
  const mlpBias = fields.boolean("mlp_bias", { orElse: false });
  if (mlpBias && !attentionBias) fields.refuse("mlp_bias", "must be false, as attention_bias is");
  const dModel = fields.size("hidden_size");
  const numHeads = fields.size("num_attention_heads");
  return {
    ...DEFAULT_CONFIG,
    vocabSize: fields.size("vocab_size"),
    dModel,
    dHidden: fields.size("intermediate_size"),
    numBlocks: fields.size("num_hidden_layers"),
    numHeads,
    numKvHeads: fields.size("num_key_value_heads", { orElse: numHeads }),
    headDim: fields.size("head_dim", { orElse: dModel / numHeads }),
    maxSeqLen: fields.size("max_position_embeddings", { orElse: 2048 }),
    eps: fields.number("rms_norm_eps", { orElse: 1e-6 }),
    theta: fields.number("rope_theta", { orElse: rope.number("rope_theta", { orElse: 10_000 }) }),
    bias: mlpBias ? "all" : attentionBias ? "attention" : "none",
    tieEmbeddings: fields.boolean("tie_word_embeddings", { orElse: false }),
    dropout: fields.object("tenure").number("dropout", { orElse: 0 }),
  };
}

function gpt2ToJson(config: ModelConfig): JsonObject {
  const mlp = config.mlp as keyof typeof GPT2_ACTIVATIONS; // the family has no gate
  return {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    vocab_size: config.vocabSize,
    n_embd: config.dModel,
    n_inner: config.dHidden,
    n_layer: config.numBlocks,
    n_head: config.numHeads,
    n_positions: config.maxSeqLen,
    n_ctx: config.maxSeqLen,
    activation_function: GPT2_ACTIVATIONS[mlp],
    layer_norm_epsilon: config.eps,
    embd_pdrop: config.dropout,
    resid_pdrop: config.dropout,
    attn_pdrop: 0,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    tie_word_embeddings: config.tieEmbeddings,
    torch_dtype: "float32",
  };
}

function gpt2FromJson(fields: Fields): ModelConfig {
  fields.only("scale_attn_weights", [true], "must be true");
  fields.only("scale_attn_by_inverse_layer_idx", [false], "must be false");
  fields.only("add_cross_attention", [false], "must be false");
  const dModel = fields.size("n_embd");
  const numHeads = fields.size("n_head");
  const names = ["gelu_new", "gelu_pytorch_tanh", "gelu", "silu"] as const;
  const name = fields.choice("activation_function", names, { orElse: "gelu_new" });
  return {
    ...DEFAULT_CONFIG,
    vocabSize: fields.size("vocab_size"),
    dModel,
    dHidden: fields.size("n_inner", { orElse: 4 * dModel }),
    numBlocks: fields.size("n_layer"),
    numHeads,
    numKvHeads: numHeads,
    headDim: dModel / numHeads,
    maxSeqLen: fields.size("n_positions"),
    norm: "layerNorm",
    eps: fields.number("layer_norm_epsilon", { orElse: 1e-5 }),
    position: "learned",
    mlp: ACTIVATIONS_OF_GPT2[name],
    bias: "all",
    tieEmbeddings: fields.boolean("tie_word_embeddings", { orElse: true }),
    // One rate stands for both of GPT-2's; attention weights are never dropped.
    dropout: fields.number("resid_pdrop", { orElse: 0.1 }),
  };
}

function ownToJson(config: ModelConfig): JsonObject {
  return {
    model_type: "tenure",
    vocabSize: config.vocabSize,
    dModel: config.dModel,
    dHidden: config.dHidden,
    numBlocks: config.numBlocks,
    numHeads: config.numHeads,
    numKvHeads: config.numKvHeads,
    headDim: config.headDim,
    maxSeqLen: config.maxSeqLen,
    norm: config.norm,
    eps: config.eps,
    position: config.position,
    theta: config.theta,
    rotaryLayout: config.rotaryLayout,
    mlp: config.mlp,
    bias: config.bias,
    qkNorm: config.qkNorm,
    tieEmbeddings: config.tieEmbeddings,
    dropout: config.dropout,
  };
}

function ownFromJson(fields: Fields): ModelConfig {
  return {
    vocabSize: fields.size("vocabSize"),
    dModel: fields.size("dModel"),
    dHidden: fields.size("dHidden"),
    numBlocks: fields.size("numBlocks"),
    numHeads: fields.size("numHeads"),
    numKvHeads: fields.size("numKvHeads"),
    headDim: fields.size("headDim"),
    maxSeqLen: fields.size("maxSeqLen"),
    norm: fields.choice("norm", ["rmsNorm", "layerNorm"]),
    eps: fields.number("eps"),
    position: fields.choice("position", ["rotary", "learned"]),
    theta: fields.number("theta"),
    rotaryLayout: fields.choice("rotaryLayout", ["half", "interleaved"]),
    mlp: fields.choice("mlp", ["swiGlu", "silu", "gelu", "geluTanh"]),
    ropeScaling: null,
    bias: fields.choice("bias", ["none", "qkv", "attention", "all"]),
    qkNorm: fields.boolean("qkNorm", { orElse: false }),
    slidingWindow: null,
    tieEmbeddings: fields.boolean("tieEmbeddings"),
    dropout: fields.number("dropout"),
  };
}
