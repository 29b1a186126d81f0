import fc from "fast-check";
import type { ModelConfig } from "../../model/transformer/config.ts";
import type { WeightValues } from "../../model/checkpoint/hugging_face.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";

/** Any configuration, small: every family, and combinations that are of none. */
export const arbitraryConfig: fc.Arbitrary<ModelConfig> = fc
  .record({
    vocabSize: fc.integer({ min: 1, max: 9 }),
    dHidden: fc.integer({ min: 1, max: 6 }),
    numBlocks: fc.integer({ min: 1, max: 2 }),
    numKvHeads: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 2 }),
    pairs: fc.integer({ min: 1, max: 2 }),
    excess: fc.constantFrom(0, 0, 3),
    maxSeqLen: fc.integer({ min: 1, max: 5 }),
    norm: fc.constantFrom("rmsNorm" as const, "layerNorm" as const),
    eps: fc.constantFrom(1e-5, 1e-6, 0.1),
    position: fc.constantFrom("rotary" as const, "learned" as const),
    theta: fc.constantFrom(10_000, 500_000.5),
    rotaryLayout: fc.constantFrom("half" as const, "interleaved" as const),
    mlp: fc.constantFrom("swiGlu" as const, "silu" as const, "gelu" as const, "geluTanh" as const),
    ropeScaling: fc.constant(null),
    qkNorm: fc.constant(false),
    slidingWindow: fc.constant(null),
    bias: fc.constantFrom("none" as const, "attention" as const, "all" as const),
    tieEmbeddings: fc.boolean(),
    dropout: fc.constantFrom(0, 0.1, 0.25),
  })
  .map(({ group, pairs, excess, ...config }) => {
    const numHeads = config.numKvHeads * group;
    const headDim = 2 * pairs;
    return { ...config, numHeads, headDim, dModel: numHeads * headDim + excess };
  });

/** A GPT-2 of two blocks. */
export const GPT2: ModelConfig = {
  vocabSize: 7,
  dModel: 4,
  dHidden: 6,
  numBlocks: 2,
  numHeads: 2,
  numKvHeads: 2,
  headDim: 2,
  maxSeqLen: 5,
  norm: "layerNorm",
  eps: 1e-5,
  position: "learned",
  theta: 10_000,
  rotaryLayout: "half",
  mlp: "geluTanh",
  ropeScaling: null,
  qkNorm: false,
  slidingWindow: null,
  bias: "all",
  tieEmbeddings: true,
  dropout: 0.1,
};

/** A Llama of two blocks, with grouped heads and an output layer of its own. */
export const LLAMA: ModelConfig = {
  ...GPT2,
  numKvHeads: 1,
  norm: "rmsNorm",
  position: "rotary",
  mlp: "swiGlu",
  ropeScaling: null,
  qkNorm: false,
  slidingWindow: null,
  bias: "none",
  tieEmbeddings: false,
  dropout: 0,
};

/** Distinct values for every weight: 0, 1, 2, … in the model's order. */
export function countingWeights(config: ModelConfig): Map<string, Float32Array<ArrayBuffer>> {
  let next = 0;
  return new Map(
    Array.from(weightShapes(config), ({ label, shape }) => {
      const length = shape.reduce((product, n) => product * n, 1);
      return [label, Float32Array.from({ length }, () => next++)];
    }),
  );
}

/** Weights as bits, so that they compare exactly. */
export function bitsOf(weights: WeightValues): [string, number[]][] {
  return Array.from(weights, ([label, x]): [string, number[]] => [
    label,
    [...new Uint32Array(x.buffer, x.byteOffset, x.length)],
  ]);
}
