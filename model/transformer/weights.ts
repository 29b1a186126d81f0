import type { Gpu } from "../../engine/gpu.ts";
import { type Parameter, sizeOf } from "../../engine/tensor.ts";
import { normal } from "../random.ts";
import type { ModelConfig } from "./config.ts";

/** Gain, and shift for LayerNorm, `[dModel]`. */
export interface NormWeights {
  readonly weight: Parameter;
  readonly bias?: Parameter;
}

/** A matrix `[dOut, dIn]`, row-major, and perhaps a bias `[dOut]`. */
export interface LinearWeights {
  readonly weight: Parameter;
  readonly bias?: Parameter;
}

/** Weights of one block. */
export interface BlockWeights {
  readonly attentionNorm: NormWeights;
  /** `[numHeads · headDim, dModel]` */
  readonly query: LinearWeights;
  /** `[numKvHeads · headDim, dModel]` */
  readonly key: LinearWeights;
  /** `[numKvHeads · headDim, dModel]` */
  readonly value: LinearWeights;
  /** `[dModel, numHeads · headDim]` */
  readonly output: LinearWeights;
  readonly mlpNorm: NormWeights;
  /** `[dHidden, dModel]`; SwiGLU only */
  readonly gate?: LinearWeights;
  /** `[dHidden, dModel]` */
  readonly up: LinearWeights;
  /** `[dModel, dHidden]` */
  readonly down: LinearWeights;
}

/** All weights of a transformer. */
export interface TransformerWeights {
  /** `[vocabSize, dModel]` */
  readonly embedding: Parameter;
  /** `[maxSeqLen, dModel]`; learned positions only */
  readonly positions?: Parameter;
  readonly blocks: readonly BlockWeights[];
  readonly norm: NormWeights;
  /** `[vocabSize, dModel]`; the embedding itself where tied */
  readonly output: Parameter;
}

/** Scale of freshly drawn matrices that end a sublayer, against the others. */
const OUTPUT_SCALE = 0.1;

/** Gives a weight its initial values; `index` counts the weights in order. */
type Initializer = (
  shape: readonly number[],
  label: string,
  index: number,
) => Float32Array<ArrayBuffer>;

/**
 * Draws every matrix from N(0, 1 / dIn), so that activations and first logits keep their scale
 * whatever the width, and those that end a sublayer a tenth as wide: a fresh block hardly changes
 * the residual stream, which begins as the embedding and so can be copied from. Gains are 1,
 * biases 0.
 *
 * @see {@link https://arxiv.org/abs/2003.04887 | Bachlechner et al., "ReZero is All You Need", 2021}
 */
export function randomInitializer(seed: number): Initializer {
  return (shape, label, index) => {
    const length = sizeOf(shape);
    if (shape.length === 1) return new Float32Array(length).fill(label.endsWith("bias") ? 0 : 1);
    const scale = /(o_proj|down_proj)\.weight$/.test(label) ? OUTPUT_SCALE : 1;
    return normal(length, { seed, stream: index, deviation: scale / Math.sqrt(shape[1]!) });
  };
}

/**
 * Allocates and fills every weight, labeled by its Hugging Face name.
 *
 * @param gpu Device to hold them.
 * @param config Sizes.
 * @param initialize Values by shape and name.
 * @returns The weights as a tree, and flat in a fixed order.
 */
export function createWeights(
  gpu: Gpu,
  config: ModelConfig,
  initialize: Initializer,
): { weights: TransformerWeights; parameters: Parameter[] } {
  const { vocabSize, dModel, dHidden, numHeads, numKvHeads, headDim, maxSeqLen } = config;
  const parameters: Parameter[] = [];
  const parameter = (label: string, shape: readonly number[]): Parameter => {
    const values = initialize(shape, label, parameters.length);
    const made = gpu.parameter(shape, { label, values });
    parameters.push(made);
    return made;
  };
  const norm = (name: string): NormWeights => ({
    weight: parameter(`${name}.weight`, [dModel]),
    ...(config.norm === "layerNorm" ? { bias: parameter(`${name}.bias`, [dModel]) } : {}),
  });
  const linear = (name: string, dOut: number, dIn: number): LinearWeights => ({
    weight: parameter(`${name}.weight`, [dOut, dIn]),
    ...(config.bias ? { bias: parameter(`${name}.bias`, [dOut]) } : {}),
  });
  const embedding = parameter("model.embed_tokens.weight", [vocabSize, dModel]);
  const positions =
    config.position === "learned"
      ? { positions: parameter("model.embed_positions.weight", [maxSeqLen, dModel]) }
      : {};
  const blocks = Array.from({ length: config.numBlocks }, (_, index): BlockWeights => {
    const name = `model.layers.${index}`;
    return {
      attentionNorm: norm(`${name}.input_layernorm`),
      query: linear(`${name}.self_attn.q_proj`, numHeads * headDim, dModel),
      key: linear(`${name}.self_attn.k_proj`, numKvHeads * headDim, dModel),
      value: linear(`${name}.self_attn.v_proj`, numKvHeads * headDim, dModel),
      output: linear(`${name}.self_attn.o_proj`, dModel, numHeads * headDim),
      mlpNorm: norm(`${name}.post_attention_layernorm`),
      ...(config.mlp === "swiGlu"
        ? { gate: linear(`${name}.mlp.gate_proj`, dHidden, dModel) }
        : {}),
      up: linear(`${name}.mlp.up_proj`, dHidden, dModel),
      down: linear(`${name}.mlp.down_proj`, dModel, dHidden),
    };
  });
  const finalNorm = norm("model.norm");
  const output = config.tieEmbeddings
    ? embedding
    : parameter("lm_head.weight", [vocabSize, dModel]);
  return { weights: { embedding, ...positions, blocks, norm: finalNorm, output }, parameters };
}
