import type { StoredModel, StoredWeight } from "../../model/checkpoint/stored_model.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { randomInitializer } from "../../model/transformer/weights.ts";
import { SIZES } from "./sizes.ts";

/** Tokens of the vocabulary of models that a run would train. */
const VOCAB_SIZE = 2048;

/** Sizes to profile without a model at hand, by their name on the command line. */
export const PROFILE_SIZES: Readonly<Record<string, ModelConfig>> = {
  ...Object.fromEntries(
    Object.entries(SIZES).map(([name, sizes]) => [
      name,
      { ...sizes, vocabSize: VOCAB_SIZE, maxSeqLen: 1024 },
    ]),
  ),
  "gpt2-124m": {
    ...DEFAULT_CONFIG,
    vocabSize: 50_257,
    dModel: 768,
    dHidden: 3072,
    numBlocks: 12,
    numHeads: 12,
    numKvHeads: 12,
    headDim: 64,
    maxSeqLen: 1024,
    norm: "layerNorm",
    position: "learned",
    mlp: "geluTanh",
    bias: "all",
    tieEmbeddings: true,
  },
  "smollm2-135m": {
    ...DEFAULT_CONFIG,
    vocabSize: 49_152,
    dModel: 576,
    dHidden: 1536,
    numBlocks: 30,
    numHeads: 9,
    numKvHeads: 3,
    headDim: 64,
    maxSeqLen: 8192,
    theta: 100_000,
    tieEmbeddings: true,
  },
  "llama-1b": {
    ...DEFAULT_CONFIG,
    vocabSize: 128_256,
    dModel: 2048,
    dHidden: 8192,
    numBlocks: 16,
    numHeads: 32,
    numKvHeads: 8,
    headDim: 64,
    maxSeqLen: 8192,
    theta: 500_000,
    tieEmbeddings: true,
  },
};

/** A model of random weights, which are drawn as they are read: nothing is on disk. */
export function randomModel(name: string, config: ModelConfig): StoredModel {
  const initialize = randomInitializer(1);
  const weights = new Map<string, StoredWeight>();
  for (const { label, shape } of weightShapes(config)) {
    const index = weights.size;
    const read = () => {
      const values = initialize(shape, label, index);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return Promise.resolve({ dtype: "F32" as const, shape, bytes });
    };
    weights.set(label, { dtype: "F32", shape, read });
  }
  return { name: `random ${name}`, config, weights };
}
