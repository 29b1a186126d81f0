import { DEFAULT_CONFIG, type ModelConfig } from "../transformer/config.ts";
import type { Fields } from "./fields.ts";
import type { JsonObject } from "./strict_json.ts";

/** GPT-2's names of activation functions. */
const ACTIVATIONS = { geluTanh: "gelu_new", gelu: "gelu", silu: "silu" } as const;

/** And back; one of them has two names. */
const MLPS = {
  gelu_new: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  gelu: "gelu",
  silu: "silu",
} as const;

/** Content of `config.json` of GPT-2's family. */
export function gpt2ToJson(config: ModelConfig): JsonObject {
  const mlp = config.mlp as keyof typeof ACTIVATIONS; // the family has no gate
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
    activation_function: ACTIVATIONS[mlp],
    layer_norm_epsilon: config.eps,
    embd_pdrop: config.dropout,
    resid_pdrop: config.dropout,
    attn_pdrop: 0,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    tie_word_embeddings: config.tieEmbeddings,
  };
}

/**
 * Reads `config.json` of GPT-2's family.
 *
 * @throws {SyntaxError} If a field is missing, malformed, or asks for what is not supported.
 */
export function gpt2FromJson(fields: Fields): ModelConfig {
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
    mlp: MLPS[name],
    bias: "all",
    tieEmbeddings: fields.boolean("tie_word_embeddings", { orElse: true }),
    // One rate stands for both of GPT-2's; attention weights are never dropped.
    dropout: fields.number("resid_pdrop", { orElse: 0.1 }),
  };
}
