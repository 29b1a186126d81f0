import type { RopeScaling } from "../../engine/ops/rope_scaling.ts";

export type { RopeScaling };

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
  /** How the rotary frequencies were changed to reach a longer context; `null` for not at all. */
  readonly ropeScaling: RopeScaling | null;
  /** Which elements of a head rotate together: `i` and `i + headDim / 2`, or `2i` and `2i + 1`. */
  readonly rotaryLayout: "half" | "interleaved";
  /** `"swiGlu"` has a gate; the others apply their function between two matrices. */
  readonly mlp: "swiGlu" | "silu" | "gelu" | "geluTanh";
  /**
   * Which projections have biases: none, query, key and value (Qwen2), the attention's output as
   * well, or the MLP's, too (GPT-2).
   */
  readonly bias: "none" | "qkv" | "attention" | "all";
  /** Whether queries and keys are normalized, head by head, before they rotate (Qwen3). */
  readonly qkNorm: boolean;
  /** Keys that a query sees at most, its own included (Mistral); `null` for all. */
  readonly slidingWindow: number | null;
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
  ropeScaling: null,
  bias: "none",
  qkNorm: false,
  slidingWindow: null,
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
  const { numHeads, numKvHeads, headDim, position, eps, theta, dropout, slidingWindow } = config;
  if (numHeads % numKvHeads !== 0) fail("numKvHeads", `divide numHeads ${numHeads}`, numKvHeads);
  if (position === "rotary" && headDim % 2 !== 0) fail("headDim", "be even to rotate", headDim);
  if (!(eps > 0)) fail("eps", "be positive", eps);
  if (!(theta > 0)) fail("theta", "be positive", theta);
  if (slidingWindow !== null && !(Number.isSafeInteger(slidingWindow) && slidingWindow > 0)) {
    fail("slidingWindow", "be a positive integer or null", slidingWindow);
  }
  if (config.ropeScaling !== null) checkRopeScaling(config.ropeScaling, fail);
  if (!(dropout >= 0 && dropout < 1)) fail("dropout", "lie in [0, 1)", dropout);
}

/** Which projections have a bias. */
export function biasesOf({ bias }: Pick<ModelConfig, "bias">): {
  readonly qkv: boolean;
  readonly output: boolean;
  readonly mlp: boolean;
} {
  return {
    qkv: bias !== "none",
    output: bias === "attention" || bias === "all",
    mlp: bias === "all",
  };
}

function checkRopeScaling(
  scaling: RopeScaling,
  fail: (field: string, rule: string, value: unknown) => never,
): void {
  for (const [key, value] of Object.entries(scaling)) {
    if (key !== "type" && !(Number.isFinite(value) && (value as number) > 0)) {
      fail(`ropeScaling.${key}`, "be positive", value);
    }
  }
  if (scaling.type === "llama3" && !(scaling.lowFreqFactor < scaling.highFreqFactor)) {
    fail(
      "ropeScaling.lowFreqFactor",
      `be below highFreqFactor ${scaling.highFreqFactor}`,
      scaling.lowFreqFactor,
    );
  }
}
