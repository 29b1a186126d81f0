import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";

/** A model whose shapes are measured. */
export interface ModelShape {
  readonly name: string;
  readonly config: ModelConfig;
}

/** Andrej Karpathy's smallest Llama, trained on short stories. */
export const STORIES_260K: ModelShape = {
  name: "stories260K",
  config: {
    ...DEFAULT_CONFIG,
    vocabSize: 512,
    dModel: 64,
    dHidden: 172,
    numBlocks: 5,
    numHeads: 8,
    numKvHeads: 4,
    headDim: 8,
    maxSeqLen: 512,
    rotaryLayout: "interleaved",
  },
};

/**
 * The next-occupation transformer of the CAREER paper, as its code has it: 12 blocks of width 192.
 * Its vocabulary is that of occupations.
 *
 * @see {@link https://arxiv.org/abs/2202.08370 | Vafa et al., 2022}
 */
export const CAREER: ModelShape = {
  name: "CAREER",
  config: {
    ...DEFAULT_CONFIG,
    vocabSize: 335,
    dModel: 192,
    dHidden: 768,
    numBlocks: 12,
    numHeads: 3,
    numKvHeads: 3,
    headDim: 64,
    maxSeqLen: 512,
    norm: "layerNorm",
    position: "learned",
    mlp: "gelu",
    bias: "all",
    tieEmbeddings: false,
  },
};

/** @see {@link https://huggingface.co/openai-community/gpt2} */
export const GPT2_124M: ModelShape = {
  name: "GPT-2 124M",
  config: {
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
  },
};

/** @see {@link https://huggingface.co/HuggingFaceTB/SmolLM2-135M} */
export const SMOLLM2_135M: ModelShape = {
  name: "SmolLM2-135M",
  config: {
    ...DEFAULT_CONFIG,
    vocabSize: 49_152,
    dModel: 576,
    dHidden: 1536,
    numBlocks: 30,
    numHeads: 9,
    numKvHeads: 3,
    headDim: 64,
    maxSeqLen: 2048,
    theta: 100_000,
  },
};

/** @see {@link https://huggingface.co/meta-llama/Llama-3.2-1B} */
export const LLAMA_3_2_1B: ModelShape = {
  name: "Llama-3.2-1B",
  config: {
    ...DEFAULT_CONFIG,
    vocabSize: 128_256,
    dModel: 2048,
    dHidden: 8192,
    numBlocks: 16,
    numHeads: 32,
    numKvHeads: 8,
    headDim: 64,
    maxSeqLen: 2048,
    theta: 500_000,
  },
};

/** The models whose shapes are measured, the smallest first. */
export const MODELS: readonly ModelShape[] = [
  STORIES_260K,
  CAREER,
  GPT2_124M,
  SMOLLM2_135M,
  LLAMA_3_2_1B,
];
