import type { Gpu } from "../../engine/gpu.ts";
import { activation } from "../../engine/ops/activation.ts";
import { add } from "../../engine/ops/add.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import { dropout } from "../../engine/ops/dropout.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { linear } from "../../engine/ops/linear.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { rotary, rotaryTable } from "../../engine/ops/rotary.ts";
import { swiGlu } from "../../engine/ops/swi_glu.ts";
import type { Tape } from "../../engine/tape.ts";
import { type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import { checkConfig, type ModelConfig } from "./config.ts";
import type { ModelInputs } from "./inputs.ts";
import {
  arrangeWeights,
  type BlockWeights,
  createParameters,
  type LinearWeights,
  type LoraWeights,
  type NormWeights,
  randomInitializer,
  type TransformerWeights,
} from "./weights.ts";

/** How {@linkcode Transformer.create} fills the weights. */
export interface TransformerOptions {
  /** Seed of random weights. @default {0} */
  readonly seed?: number;
  /** Weights by Hugging Face name, in place of random ones. */
  readonly values?: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** What a {@linkcode Transformer} is made of. */
export interface TransformerParts {
  /** Every weight by label. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Those of them, or of the adapters, that training changes. */
  readonly parameters: readonly Parameter[];
  /** The adapter of a linear, by its module's name. */
  readonly loraOf?: (module: string) => LoraWeights | undefined;
  /** Table of another model of the same sizes, to share. */
  readonly rotaryTable?: Tensor;
}

/** What changes between training and inference. */
export interface ForwardOptions {
  /** Applies dropout. @default {false} */
  readonly training?: boolean;
}

/**
 * A decoder-only transformer: pre-norm blocks of causal self-attention and an MLP.
 *
 *     x = embedding[tokens]
 *     x = x + attention(norm(x));  x = x + mlp(norm(x))        numBlocks times
 *     hidden = norm(x);            logits = hidden · outputᵀ
 *
 * @see {@link https://arxiv.org/abs/1706.03762 | Vaswani et al., 2017}
 * @see {@link https://arxiv.org/abs/2302.13971 | Touvron et al., "LLaMA", 2023}, section 2.2
 */
export class Transformer {
  readonly config: ModelConfig;
  readonly weights: TransformerWeights;
  /** What training changes, in a fixed order, labeled by Hugging Face name. */
  readonly parameters: readonly Parameter[];
  /** Every weight by label, adapters aside. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Cosines and sines of {@linkcode rotary}; a constant. */
  readonly #rotaryTable: Tensor | undefined;

  /** A model of tensors that are there already. */
  constructor(gpu: Gpu, config: ModelConfig, parts: TransformerParts) {
    const { tensors, parameters, loraOf, rotaryTable: table } = parts;
    this.config = config;
    this.tensors = tensors;
    this.parameters = parameters;
    const tensorOf = (label: string) => tensors.get(label)!;
    this.weights = arrangeWeights(config, { tensorOf, ...(loraOf !== undefined && { loraOf }) });
    this.#rotaryTable = table ?? createRotaryTable(gpu, config);
  }

  /**
   * Allocates a model on a device, all of it trainable.
   *
   * @throws {RangeError} If the sizes do not fit together, or a given weight is missing or misshapen.
   */
  static create(gpu: Gpu, config: ModelConfig, options: TransformerOptions = {}): Transformer {
    checkConfig(config);
    const { seed = 0, values } = options;
    const initialize =
      values === undefined
        ? randomInitializer(seed)
        : (shape: readonly number[], label: string) => given(values, label, shape);
    const tensors = createParameters(gpu, config, initialize);
    return new Transformer(gpu, config, { tensors, parameters: [...tensors.values()] });
  }

  /** Number of weights. */
  get numParameters(): number {
    return [...this.tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * Records the forward pass up to the final norm.
   *
   * @returns Hidden states, `[numTokens, dModel]`; times `weights.output` transposed, the logits.
   */
  hidden(tape: Tape, inputs: ModelInputs, options: ForwardOptions = {}): Tensor {
    const { weights, config } = this;
    const drop = this.#dropout(tape, inputs, options);
    let x = embedding(tape, weights.embedding, inputs.tokens);
    if (weights.positions !== undefined) {
      x = add(tape, x, embedding(tape, weights.positions, inputs.positions));
    }
    x = drop(x);
    for (const block of weights.blocks) {
      const attended = this.#attention(tape, normalize(tape, x, block.attentionNorm, config), {
        block,
        inputs,
      });
      const h = add(tape, x, drop(attended));
      x = add(tape, h, drop(mlp(tape, normalize(tape, h, block.mlpNorm, config), block, config)));
    }
    return normalize(tape, x, weights.norm, config);
  }

  #attention(
    tape: Tape,
    x: Tensor,
    { block, inputs }: { readonly block: BlockWeights; readonly inputs: ModelInputs },
  ): Tensor {
    const { numHeads, numKvHeads, headDim } = this.config;
    const { seqLen, starts, ends } = inputs;
    const q = this.#rotate(tape, affine(tape, x, block.query), inputs);
    const k = this.#rotate(tape, affine(tape, x, block.key), inputs);
    const v = affine(tape, x, block.value);
    const sizes = { seqLen, numHeads, numKvHeads, headDim };
    const y = causalAttention(tape, { q, k, v, starts, ends }, sizes);
    return affine(tape, y, block.output);
  }

  #rotate(tape: Tape, x: Tensor, { positions }: ModelInputs): Tensor {
    if (this.#rotaryTable === undefined) return x;
    const { headDim, rotaryLayout: layout } = this.config;
    const at = { table: this.#rotaryTable, positions: positions.ids };
    return rotary(tape, x, at, { headDim, layout });
  }

  /** Dropout with a number of its own for every place, or nothing outside training. */
  #dropout(
    tape: Tape,
    { randomness }: ModelInputs,
    { training = false }: ForwardOptions,
  ): (x: Tensor) => Tensor {
    const rate = training ? this.config.dropout : 0;
    let id = 0;
    return (x) => (rate === 0 ? x : dropout(tape, x, { rate, randomness, id: id++ }));
  }
}

function createRotaryTable(gpu: Gpu, config: ModelConfig): Tensor | undefined {
  const { headDim, maxSeqLen, theta, position } = config;
  if (position !== "rotary") return undefined;
  const values = rotaryTable({ headDim, maxSeqLen, theta });
  return gpu.tensor([maxSeqLen, headDim], { label: "rotary table", values });
}

function normalize(tape: Tape, x: Tensor, norm: NormWeights, config: ModelConfig): Tensor {
  const { eps } = config;
  return config.norm === "rmsNorm"
    ? rmsNorm(tape, x, norm.weight, { eps })
    : layerNorm(tape, x, { ...norm, eps });
}

/** `down(silu(gate(x)) · up(x))`, or `down(f(up(x)))`. */
function mlp(tape: Tape, x: Tensor, { gate, up, down }: BlockWeights, config: ModelConfig): Tensor {
  const hidden = affine(tape, x, up);
  if (config.mlp === "swiGlu")
    return affine(tape, swiGlu(tape, affine(tape, x, gate!), hidden), down);
  return affine(tape, activation(tape, hidden, config.mlp), down);
}

function affine(tape: Tape, x: Tensor, { weight, bias }: LinearWeights): Tensor {
  return linear(tape, x, weight, bias);
}

function given(
  values: ReadonlyMap<string, Float32Array<ArrayBuffer>>,
  label: string,
  shape: readonly number[],
): Float32Array<ArrayBuffer> {
  const found = values.get(label);
  if (found === undefined || found.length !== sizeOf(shape)) {
    throw new RangeError(
      `Cannot load the model: weight "${label}" must have shape [${shape.join(", ")}], ` +
        `got ${found === undefined ? "none" : `${found.length} values`}`,
    );
  }
  return found;
}
