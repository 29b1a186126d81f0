import type { ModelConfig } from "../transformer/config.ts";
import type { ModelType } from "./config_json.ts";
import { type WeightShape, weightShapes } from "../transformer/weight_shapes.ts";

/** How weights of a model lie in a tensor of a file. */
export interface TensorLayout {
  /** Name of the tensor. */
  readonly name: string;
  /** Shape of the tensor. */
  readonly shape: readonly number[];
  /** Weights in it, one below the other: `[Σ dOut, dIn]` or `[Σ dOut]`. */
  readonly parts: readonly WeightShape[];
  /** Whether that matrix is transposed in the file, `[dIn, Σ dOut]`. */
  readonly isTransposed: boolean;
}

/** GPT-2's tensors of a block, each with the weights in it; its matrices are `[dIn, dOut]`. */
const GPT2_BLOCK: readonly (readonly [name: string, modules: readonly string[]])[] = [
  ["ln_1", ["input_layernorm"]],
  ["attn.c_attn", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]],
  ["attn.c_proj", ["self_attn.o_proj"]],
  ["ln_2", ["post_attention_layernorm"]],
  ["mlp.c_fc", ["mlp.up_proj"]],
  ["mlp.c_proj", ["mlp.down_proj"]],
];

/**
 * Every tensor of a model's file in its family's names, one at a time: the sizes may be absurd.
 *
 * Only GPT-2's family differs from our own weights: query, key and value are one tensor, and
 * matrices other than embeddings are transposed, since its layers compute `x · W`, not `x · Wᵀ`.
 */
export function* tensorLayouts(
  config: ModelConfig,
  modelType: ModelType,
): Generator<TensorLayout, void> {
  if (modelType === "gpt2") {
    yield* gpt2Layouts(config);
    return;
  }
  for (const part of weightShapes(config)) yield plain(part.label, part);
}

function* gpt2Layouts(config: ModelConfig): Generator<TensorLayout, void> {
  /** Weights outside of blocks, and those of the first block, which stand for every block's. */
  const shapes = new Map<string, readonly number[]>();
  for (const { label, shape } of weightShapes({ ...config, numBlocks: 1 })) {
    shapes.set(label, shape);
  }
  const part = (label: string): WeightShape => ({ label, shape: shapes.get(label)! });
  yield plain("transformer.wte.weight", part("model.embed_tokens.weight"));
  yield plain("transformer.wpe.weight", part("model.embed_positions.weight"));
  for (let index = 0; index < config.numBlocks; index++) {
    for (const [name, modules] of GPT2_BLOCK) {
      for (const kind of ["weight", "bias"]) {
        const parts = modules.map((module) => ({
          label: `model.layers.${index}.${module}.${kind}`,
          shape: shapes.get(`model.layers.0.${module}.${kind}`)!,
        }));
        yield fused(`transformer.h.${index}.${name}.${kind}`, parts);
      }
    }
  }
  yield plain("transformer.ln_f.weight", part("model.norm.weight"));
  yield plain("transformer.ln_f.bias", part("model.norm.bias"));
  if (!config.tieEmbeddings) yield plain("lm_head.weight", part("lm_head.weight"));
}

function plain(name: string, part: WeightShape): TensorLayout {
  return { name, shape: part.shape, parts: [part], isTransposed: false };
}

function fused(name: string, parts: readonly WeightShape[]): TensorLayout {
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const columns = parts[0]!.shape[1];
  return columns === undefined
    ? { name, shape: [rows], parts, isTransposed: false }
    : { name, shape: [columns, rows], parts, isTransposed: true };
}
