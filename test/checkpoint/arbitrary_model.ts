import fc from "fast-check";
import type { ModelConfig, RopeScaling } from "../../model/transformer/config.ts";
import type { ModelType } from "../../model/checkpoint/config_json.ts";
import type { WeightValues } from "./whole_checkpoint.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";

const positive = fc.constantFrom(0.5, 1, 8, 1e6 / 3);

const arbitraryRopeScaling: fc.Arbitrary<RopeScaling> = fc
  .oneof(
    fc.record({ type: fc.constant("linear" as const), factor: positive }),
    fc.record({
      type: fc.constant("llama3" as const),
      factor: positive,
      lowFreqFactor: fc.constantFrom(0.25, 1),
      highFreqFactor: fc.constantFrom(4, 32.5),
      originalMaxSeqLen: fc.integer({ min: 1, max: 9000 }),
    }),
    fc.record({
      type: fc.constant("yarn" as const),
      factor: positive,
      originalMaxSeqLen: fc.integer({ min: 1, max: 9000 }),
      betaFast: positive,
      betaSlow: positive,
      attentionFactor: positive,
    }),
  )
  .map((scaling) => ({ ...scaling })); // with a prototype

/** Which choices go together, so that no family is rare. */
const arbitraryKind = fc.constantFrom("any" as const, "llama" as const, "gpt2" as const);

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
    ropeScaling: fc.option(arbitraryRopeScaling),
    qkNorm: fc.boolean(),
    slidingWindow: fc.option(fc.integer({ min: 1, max: 9 })),
    bias: fc.constantFrom("none" as const, "qkv" as const, "attention" as const, "all" as const),
    tieEmbeddings: fc.boolean(),
    dropout: fc.constantFrom(0, 0.1, 0.25),
    kind: arbitraryKind,
  })
  .map(({ group, pairs, excess, kind, ...choices }) => {
    const numHeads = choices.numKvHeads * group;
    const headDim = 2 * pairs;
    const config = { ...choices, numHeads, headDim, dModel: numHeads * headDim + excess };
    if (kind === "any") return config;
    return kind === "llama" ? llamaLike(config) : gpt2Like(config);
  });

function llamaLike(config: ModelConfig): ModelConfig {
  return { ...config, norm: "rmsNorm", position: "rotary", rotaryLayout: "half", mlp: "swiGlu" };
}

function gpt2Like(config: ModelConfig): ModelConfig {
  return {
    ...config,
    norm: "layerNorm",
    position: "learned",
    mlp: config.mlp === "swiGlu" ? "geluTanh" : config.mlp,
    bias: "all",
    numKvHeads: config.numHeads,
    dModel: config.numHeads * config.headDim,
    ropeScaling: null,
    qkNorm: false,
    slidingWindow: null,
  };
}

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

/** A model of each family, and one of none. */
export const FAMILIES: readonly (readonly [ModelType, ModelConfig])[] = [
  ["llama", LLAMA],
  ["mistral", { ...LLAMA, slidingWindow: 3 }],
  ["qwen2", { ...LLAMA, bias: "qkv", tieEmbeddings: true }],
  ["qwen3", { ...LLAMA, qkNorm: true, headDim: 6, tieEmbeddings: true }],
  ["gpt2", GPT2],
  ["tenure", { ...LLAMA, rotaryLayout: "interleaved", mlp: "silu", bias: "all", qkNorm: true }],
];

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
