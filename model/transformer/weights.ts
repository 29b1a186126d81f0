import type { Gpu } from "../../engine/gpu.ts";
import { packParameters } from "../../engine/parameters.ts";
import { type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { weightShapes } from "./weight_shapes.ts";
import { normal } from "../random.ts";
import { biasesOf, type ModelConfig } from "./config.ts";

/** Gain, and shift for LayerNorm, `[dModel]`. */
export interface NormWeights {
  readonly weight: Tensor;
  readonly bias?: Tensor;
}

/**
 * Low-rank change of a matrix: `scale · b · a` is added to it.
 *
 * @see {@link https://arxiv.org/abs/2106.09685 | Hu et al., "LoRA", 2021}
 */
export interface LoraWeights {
  /** `[rank, dIn]` */
  readonly a: Parameter;
  /** `[dOut, rank]` */
  readonly b: Parameter;
  readonly scale: number;
  /** Share of the inputs of `a` that is dropped in training. */
  readonly dropout: number;
}

/** A matrix `[dOut, dIn]`, row-major, and perhaps a bias `[dOut]` and a low-rank change. */
export interface LinearWeights {
  readonly weight: Tensor;
  readonly bias?: Tensor;
  readonly lora?: LoraWeights;
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
  /** `[headDim]`; with `qkNorm` only */
  readonly queryNorm?: NormWeights;
  /** `[headDim]`; with `qkNorm` only */
  readonly keyNorm?: NormWeights;
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
  readonly embedding: Tensor;
  /** `[maxSeqLen, dModel]`; learned positions only */
  readonly positions?: Tensor;
  readonly blocks: readonly BlockWeights[];
  readonly norm: NormWeights;
  /** `[vocabSize, dModel]`; the embedding itself where tied */
  readonly output: Tensor;
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

/** Allocates every weight as a parameter, labeled by its Hugging Face name, in their fixed order. */
export function createParameters(
  gpu: Gpu,
  config: ModelConfig,
  initialize: Initializer,
): Map<string, Parameter> {
  const parameters = packParameters(gpu, weightShapes(config));
  parameters.forEach((parameter, index) => {
    gpu.write(parameter, initialize(parameter.shape, parameter.label, index));
  });
  return new Map(parameters.map((parameter) => [parameter.label, parameter]));
}

/** Where {@linkcode arrangeWeights} finds what it arranges. */
export interface WeightLookup {
  /** The tensor of a label. */
  readonly tensorOf: (label: string) => Tensor;
  /** The adapter of a linear, by its module's name, such as `model.layers.0.self_attn.q_proj`. */
  readonly loraOf?: (module: string) => LoraWeights | undefined;
}

/** Arranges tensors as the model reads them. */
export function arrangeWeights(
  config: ModelConfig,
  { tensorOf, loraOf = () => undefined }: WeightLookup,
): TransformerWeights {
  const biases = biasesOf(config);
  const norm = (name: string): NormWeights => ({
    weight: tensorOf(`${name}.weight`),
    ...(config.norm === "layerNorm" && { bias: tensorOf(`${name}.bias`) }),
  });
  const gain = (name: string): NormWeights => ({ weight: tensorOf(`${name}.weight`) });
  const linear = (name: string, hasBias: boolean): LinearWeights => {
    const lora = loraOf(name);
    return {
      weight: tensorOf(`${name}.weight`),
      ...(hasBias && { bias: tensorOf(`${name}.bias`) }),
      ...(lora !== undefined && { lora }),
    };
  };
  const embedding = tensorOf("model.embed_tokens.weight");
  const blocks = Array.from({ length: config.numBlocks }, (_, index): BlockWeights => {
    const name = `model.layers.${index}`;
    return {
      attentionNorm: norm(`${name}.input_layernorm`),
      query: linear(`${name}.self_attn.q_proj`, biases.qkv),
      key: linear(`${name}.self_attn.k_proj`, biases.qkv),
      value: linear(`${name}.self_attn.v_proj`, biases.qkv),
      output: linear(`${name}.self_attn.o_proj`, biases.output),
      ...(config.qkNorm && {
        queryNorm: gain(`${name}.self_attn.q_norm`),
        keyNorm: gain(`${name}.self_attn.k_norm`),
      }),
      mlpNorm: norm(`${name}.post_attention_layernorm`),
      ...(config.mlp === "swiGlu" && { gate: linear(`${name}.mlp.gate_proj`, biases.mlp) }),
      up: linear(`${name}.mlp.up_proj`, biases.mlp),
      down: linear(`${name}.mlp.down_proj`, biases.mlp),
    };
  });
  return {
    embedding,
    ...(config.position === "learned" && { positions: tensorOf("model.embed_positions.weight") }),
    blocks,
    norm: norm("model.norm"),
    output: config.tieEmbeddings ? embedding : tensorOf("lm_head.weight"),
  };
}
