/** Sizes and constants of a decoder-only transformer; covers the Llama and GPT-2 families. */
export interface ModelConfig {
  /** Tokens in the vocabulary. */
  readonly vocabSize: number;
  /** Width of the residual stream. */
  readonly dModel: number;
  /** Width of the MLP's hidden layer. */
  readonly dHidden: number;
  /** Blocks, one after another. */
  readonly numBlocks: number;
  /** Query heads per block. */
  readonly numHeads: number;
  /** Key and value heads per block; divides {@linkcode ModelConfig.numHeads}. */
  readonly numKvHeads: number;
  /** Width of one head. */
  readonly headDim: number;
  /** Longest document, in tokens. */
  readonly maxSeqLen: number;
  /** Normalization before attention, before the MLP and at the end. */
  readonly norm: "rmsNorm" | "layerNorm";
  /** Added to the mean square or variance in every norm. */
  readonly eps: number;
  /** How tokens know their position. */
  readonly position: "rotary" | "learned";
  /** Base of the rotary frequencies. */
  readonly theta: number;
  /** Which elements of a head rotate together: `i` and `i + headDim / 2`, or `2i` and `2i + 1`. */
  readonly rotaryLayout: "half" | "interleaved";
  /** `"swiGlu"` has a gate; the others apply their function between two matrices. */
  readonly mlp: "swiGlu" | "silu" | "gelu" | "geluTanh";
  /** Whether the query, key, value and output projections and the MLP have biases. */
  readonly bias: boolean;
  /** Whether the output layer is the token embedding. */
  readonly tieEmbeddings: boolean;
  /** Share of activations dropped in training, after the embedding and after each sublayer. */
  readonly dropout: number;
}

/** A small Llama: what every field is unless said otherwise. */
export const DEFAULT_CONFIG: Omit<ModelConfig, "vocabSize"> = {
  dModel: 128,
  dHidden: 344,
  numBlocks: 4,
  numHeads: 8,
  numKvHeads: 8,
  headDim: 16,
  maxSeqLen: 512,
  norm: "rmsNorm",
  eps: 1e-5,
  position: "rotary",
  theta: 10_000,
  rotaryLayout: "half",
  mlp: "swiGlu",
  bias: false,
  tieEmbeddings: true,
  dropout: 0,
};

/**
 * Checks that the sizes fit together.
 *
 * @throws {RangeError} If they do not, naming the field and the remedy.
 */
export function checkConfig(config: ModelConfig): void {
  const fail = (field: string, rule: string, value: unknown): never => {
    throw new RangeError(`Cannot build a model: ${field} must ${rule}, got ${String(value)}`);
  };
  for (const field of [
    "vocabSize",
    "dModel",
    "dHidden",
    "numBlocks",
    "numHeads",
    "numKvHeads",
    "headDim",
    "maxSeqLen",
  ] as const) {
    const value = config[field];
    if (!Number.isSafeInteger(value) || value < 1) fail(field, "be a positive integer", value);
  }
  const { numHeads, numKvHeads, headDim, position, eps, theta, dropout } = config;
  if (numHeads % numKvHeads !== 0) fail("numKvHeads", `divide numHeads ${numHeads}`, numKvHeads);
  if (position === "rotary" && headDim % 2 !== 0) fail("headDim", "be even to rotate", headDim);
  if (!(eps > 0)) fail("eps", "be positive", eps);
  if (!(theta > 0)) fail("theta", "be positive", theta);
  if (!(dropout >= 0 && dropout < 1)) fail("dropout", "lie in [0, 1)", dropout);
}
