import type { ModelConfig } from "../../transformer/config.ts";
import { type WeightShape, weightShapes } from "../../transformer/weight_shapes.ts";

/** Families of models that GGUF files are read and written as. */
export const ARCHITECTURES = ["llama", "qwen2", "qwen3", "gpt2"] as const;

/** One of {@linkcode ARCHITECTURES}. */
export type Architecture = (typeof ARCHITECTURES)[number];

/** Where a weight lies in a GGUF file. */
export interface WeightPlace extends WeightShape {
  /** Name of the tensor. */
  readonly tensor: string;
  /** Shape of the tensor: more rows than the weight's where several weights share it. */
  readonly tensorShape: readonly number[];
  /** First row of the weight in its tensor. */
  readonly firstRow: number;
  /** Heads whose rows are permuted for interleaved rotation; undefined if none are. */
  readonly permutedHeads?: number;
}

/** GGUF's names of weights outside of blocks, by ours. */
const OUTER: Readonly<Record<string, string>> = {
  "model.embed_tokens": "token_embd",
  "model.embed_positions": "position_embd",
  "model.norm": "output_norm",
  lm_head: "output",
};

/** GGUF's names of weights of a block, by ours. */
const INNER: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "self_attn.q_norm": "attn_q_norm",
  "self_attn.k_norm": "attn_k_norm",
  post_attention_layernorm: "ffn_norm",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** Queries, keys and values, in the order in which GPT-2's one tensor holds them. */
const FUSED = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"];

/**
 * Where every weight of a model lies in a GGUF file, one at a time: the sizes may be absurd.
 *
 * GPT-2's queries, keys and values are one tensor, one below the other. Of Llama's queries and
 * keys, the rows of each head are permuted, so that neighbors rotate together: the file's row
 * `2i + j` of a head is ours `i + j · headDim / 2`.
 *
 * @param config A model whose heads rotate in halves, if at all, or, for `"llama"`, interleaved,
 * in which case nothing is permuted.
 */
export function* weightPlaces(
  config: ModelConfig,
  architecture: Architecture,
): Generator<WeightPlace, void> {
  const { numHeads, numKvHeads } = config;
  const isPermuted = architecture === "llama" && config.rotaryLayout === "half";
  for (const weight of weightShapes(config)) {
    const [, name = "", kind = ""] = /^(.*)\.(weight|bias)$/.exec(weight.label) ?? [];
    const [, block = "", module = ""] = /^model\.layers\.(\d+)\.(.*)$/.exec(name) ?? [];
    const part = architecture === "gpt2" ? FUSED.indexOf(module) : -1;
    if (part >= 0) {
      const [rows = 0, ...columns] = weight.shape;
      const tensor = `blk.${block}.attn_qkv.${kind}`;
      yield { ...weight, tensor, tensorShape: [3 * rows, ...columns], firstRow: part * rows };
      continue;
    }
    const heads = module === FUSED[0] ? numHeads : module === FUSED[1] ? numKvHeads : undefined;
    yield {
      ...weight,
      tensor: block === "" ? `${OUTER[name]}.${kind}` : `blk.${block}.${INNER[module]}.${kind}`,
      tensorShape: weight.shape,
      firstRow: 0,
      ...(isPermuted && heads !== undefined && { permutedHeads: heads }),
    };
  }
}
