import type { Gpu } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { rotaryTable } from "../../engine/ops/rotary.ts";
import { TokenInput } from "../../engine/segments.ts";
import type { Tape } from "../../engine/tape.ts";
import { destroyAll, detach, type Parameter, sizeOf, type Tensor } from "../../engine/tensor.ts";
import type { ActivationDType } from "./activation_dtype.ts";
import { drop, normalize, recordBlock } from "./block.ts";
import { checkConfig, type ModelConfig } from "./config.ts";
import { recordFusedBlock } from "./fused_block.ts";
import type { ForwardInputs } from "./inputs.ts";
import {
  arrangeWeights,
  createParameters,
  type LoraWeights,
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
  /** Keeps no activations of a block for backward, which computes them again. @default {false} */
  readonly checkpoint?: boolean;
  /**
   * How many blocks to run: 0 gives the embeddings, fewer than all the residual stream.
   *
   * @default {all of them, and the final norm}
   */
  readonly layer?: number;
  /**
   * What activations are stored as; sums, softmax and norms are in f32 either way. Halves need
   * `shader-f16`, and in training a loss scale.
   *
   * @default {"f32"}
   */
  readonly dtype?: ActivationDType;
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
  /** Cosines and sines of every position; a constant. */
  readonly rotaryTable: Tensor | undefined;

  /** A model of tensors that are there already. */
  constructor(gpu: Gpu, config: ModelConfig, parts: TransformerParts) {
    const { tensors, parameters, loraOf, rotaryTable: table } = parts;
    this.config = config;
    this.tensors = tensors;
    this.parameters = parameters;
    const tensorOf = (label: string) => tensors.get(label)!;
    this.weights = arrangeWeights(config, { tensorOf, ...(loraOf !== undefined && { loraOf }) });
    this.rotaryTable = table ?? createRotaryTable(gpu, config);
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

  /** Number of weights that training changes. */
  get numTrained(): number {
    return this.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** Number of weights, adapters aside. */
  get numParameters(): number {
    return [...this.tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** Frees the weights, those of adapters too; other models that share them go with them. */
  destroy(): void {
    destroyAll([...this.tensors.values(), ...this.parameters]);
    this.rotaryTable?.buffer?.destroy();
  }

  /** Every weight by label, none of which is trained: what adapters stand on. */
  frozenTensors(): Map<string, Tensor> {
    return new Map(Array.from(this.tensors, ([label, tensor]) => [label, detach(tensor)]));
  }

  /**
   * Records the forward pass up to the final norm, or up to a block.
   *
   * @param tape Where to record.
   * @param inputs Tokens, positions, and what queries see.
   * @param options Training or inference, and how far.
   * @returns Hidden states, `[numTokens, dModel]`, stored as told; after the final norm, times
   *   `weights.output` transposed, the logits.
   * @throws {RangeError} If the model has no such layer.
   */
  hidden(tape: Tape, inputs: ForwardInputs, options: ForwardOptions = {}): Tensor {
    const { weights, config } = this;
    const { training = false, checkpoint = false, dtype = "f32" } = options;
    const { layer = config.numBlocks } = options;
    if (!Number.isInteger(layer) || layer < 0 || layer > config.numBlocks) {
      throw new RangeError(
        `Cannot run a model: layer must be an integer from 0 to ${config.numBlocks}, got ${layer}`,
      );
    }
    const scope = { tape, inputs, config, training, rotaryTable: this.rotaryTable };
    let x = lookUp(tape, weights.embedding, { ids: inputs.tokens, dtype });
    if (weights.positions !== undefined) {
      x = add(tape, x, lookUp(tape, weights.positions, { ids: inputs.positions, dtype }));
    }
    x = drop(scope, x, { rate: config.dropout, id: 0 });
    weights.blocks.slice(0, layer).forEach((block, index) => {
      const input = x;
      const place = { block, index };
      const record = () =>
        recordFusedBlock(scope, input, place) ?? recordBlock(scope, input, place);
      x = checkpoint ? tape.checkpoint(record) : record();
    });
    return layer === config.numBlocks ? normalize(scope, x, weights.norm) : x;
  }
}

/** Rows of a table; without segments, as inference has them, no gradient flows into it. */
function lookUp(
  tape: Tape,
  table: Tensor,
  { ids, dtype }: { readonly ids: TokenInput | Tensor; readonly dtype: ActivationDType },
): Tensor {
  return embedding(tape, ids instanceof TokenInput ? table : detach(table), ids, { dtype });
}

function createRotaryTable(gpu: Gpu, config: ModelConfig): Tensor | undefined {
  const { headDim, maxSeqLen, theta, position, ropeScaling } = config;
  if (position !== "rotary") return undefined;
  const values = rotaryTable({ headDim, maxSeqLen, theta, scaling: ropeScaling });
  return gpu.tensor([maxSeqLen, headDim], { label: "rotary table", values });
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
