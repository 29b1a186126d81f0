import type { ModelConfig } from "../transformer/config.ts";
import { countWeights } from "../transformer/weight_shapes.ts";

/** Sizes and constants of a {@linkcode CareerModel}. */
export interface CareerConfig {
  /** Occupations in the vocabulary. */
  readonly numOccupations: number;
  /** Width of the residual stream. */
  readonly dModel: number;
  /** Width of the MLP's hidden layer. */
  readonly dHidden: number;
  /** Blocks, one after another. */
  readonly numBlocks: number;
  /** Attention heads per block; divides {@linkcode CareerConfig.dModel}. */
  readonly numHeads: number;
  /** Most observations of a career. */
  readonly maxSeqLen: number;
  /** Added to the variance in every norm. */
  readonly eps: number;
  /** Share of activations dropped in training, after the embeddings and after each sublayer. */
  readonly dropout: number;
  /** Whether the year of birth is told, which CAREER never is. */
  readonly birthYear: boolean;
}

/** The published model's sizes; all of them may be chosen. */
export const CAREER_CONFIG: Omit<CareerConfig, "numOccupations"> = {
  dModel: 192,
  dHidden: 768,
  numBlocks: 12,
  numHeads: 3,
  maxSeqLen: 512,
  eps: 1e-5,
  dropout: 0.1,
  birthYear: false,
};

/**
 * Checks that the sizes fit together.
 *
 * @throws {RangeError} If they do not, naming the field and the remedy.
 */
export function checkCareerConfig(config: CareerConfig): void {
  const fail = (field: string, rule: string, value: unknown): never => {
    throw new RangeError(
      `Cannot build a CAREER model: ${field} must ${rule}, got ${String(value)}`,
    );
  };
  for (const field of ["dModel", "dHidden", "numBlocks", "numHeads", "maxSeqLen"] as const) {
    const value = config[field];
    if (!Number.isSafeInteger(value) || value < 1) fail(field, "be a positive integer", value);
  }
  const { numOccupations, dModel, numHeads, eps, dropout } = config;
  if (!Number.isSafeInteger(numOccupations) || numOccupations < 2) {
    fail("numOccupations", "be an integer of at least 2", numOccupations);
  }
  if (dModel % numHeads !== 0) fail("numHeads", `divide dModel ${dModel}`, numHeads);
  if (dModel % 2 !== 0) fail("dModel", "be even, for sines and cosines", dModel);
  if (!(eps > 0)) fail("eps", "be positive", eps);
  if (!(dropout >= 0 && dropout < 1)) fail("dropout", "lie in [0, 1)", dropout);
}

/**
 * A CAREER model as a transformer of the GPT-2 family: jobs and the mark of a beginning go in,
 * jobs and staying come out.
 */
export function transformerConfig(config: CareerConfig): ModelConfig {
  const { numOccupations, dModel, dHidden, numBlocks, numHeads, maxSeqLen, eps, dropout } = config;
  return {
    vocabSize: numOccupations + 1,
    dModel,
    dHidden,
    numBlocks,
    numHeads,
    numKvHeads: numHeads,
    headDim: dModel / numHeads,
    maxSeqLen,
    norm: "layerNorm",
    eps,
    position: "learned", // a table; here it holds sinusoids that are not learned
    theta: 10_000,
    ropeScaling: null,
    rotaryLayout: "half",
    mlp: "gelu",
    bias: "all",
    qkNorm: false,
    slidingWindow: null,
    tieEmbeddings: false,
    dropout,
  };
}

/**
 * Number of weights of a model.
 *
 * @param config Sizes.
 * @param numCovariateRows Rows of all tables of covariates.
 */
export function countCareerWeights(config: CareerConfig, numCovariateRows: number): number {
  const { dModel, maxSeqLen } = config;
  return countWeights(transformerConfig(config)) + dModel * (numCovariateRows - maxSeqLen);
}

/**
 * Sines and cosines of every position, `[maxSeqLen, dModel]`.
 *
 *     angle(t, i) = t / 10000^(i / (dModel / 2 − 1))
 *     row t       = sin angle(t, 0 …), then cos angle(t, 0 …)
 *
 * @see {@link https://arxiv.org/abs/1706.03762 | Vaswani et al., 2017}, section 3.5
 */
export function sinusoids({
  maxSeqLen,
  dModel,
}: Pick<CareerConfig, "maxSeqLen" | "dModel">): Float32Array<ArrayBuffer> {
  const half = dModel / 2;
  const values = new Float32Array(maxSeqLen * dModel);
  for (let t = 0; t < maxSeqLen; t++) {
    for (let i = 0; i < half; i++) {
      const angle = t * 10_000 ** (-i / Math.max(1, half - 1));
      values[t * dModel + i] = Math.sin(angle);
      values[t * dModel + half + i] = Math.cos(angle);
    }
  }
  return values;
}
