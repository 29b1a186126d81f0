import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { SIZES } from "./sizes.ts";

/** Sizes of GPT-2 that its family shares. */
const GPT2 = {
  ...DEFAULT_CONFIG,
  norm: "layerNorm",
  position: "learned",
  mlp: "geluTanh",
  bias: "all",
} as const;

/** Models whose kernels can be tuned without their files: shapes alone count. */
export const TUNING_MODELS: Readonly<Record<string, ModelConfig>> = {
  /** What tenure train makes by default. */
  small: { ...SIZES.small, vocabSize: 2048, maxSeqLen: 512 },
  /** The paper's next-occupation transformer: occupations in place of words. */
  career: {
    ...GPT2,
    mlp: "gelu",
    tieEmbeddings: false,
    vocabSize: 335,
    dModel: 192,
    dHidden: 768,
    numBlocks: 12,
    numHeads: 3,
    numKvHeads: 3,
    headDim: 64,
    maxSeqLen: 512,
  },
  "gpt2-124m": {
    ...GPT2,
    vocabSize: 50_257,
    dModel: 768,
    dHidden: 3072,
    numBlocks: 12,
    numHeads: 12,
    numKvHeads: 12,
    headDim: 64,
    maxSeqLen: 1024,
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
  },
  "llama-3.2-1b": {
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
  },
};
