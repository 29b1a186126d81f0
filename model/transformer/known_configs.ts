import { DEFAULT_CONFIG, type ModelConfig } from "./config.ts";

/** What GPT-2 and its relatives share. */
const LIKE_GPT2 = {
  ...DEFAULT_CONFIG,
  norm: "layerNorm",
  position: "learned",
  bias: "all",
} as const;

type KnownModel = "stories260k" | "career" | "gpt2-124m" | "smollm2-135m" | "llama-3.2-1b";

/** Sizes of published models, to measure, tune and plan without their files. */
export const KNOWN_CONFIGS: Readonly<Record<KnownModel, ModelConfig>> = {
  /** Andrej Karpathy's smallest Llama, trained on short stories. */
  stories260k: {
    ...DEFAULT_CONFIG,
    vocabSize: 512,
    dModel: 64,
    dHidden: 172,
    numBlocks: 5,
    numHeads: 8,
    numKvHeads: 4,
    headDim: 8,
    rotaryLayout: "interleaved",
  },
  /**
   * The next-occupation transformer of the CAREER paper, as its code has it: 12 blocks of width
   * 192. Its vocabulary is that of occupations.
   *
   * @see {@link https://arxiv.org/abs/2202.08370 | Vafa et al., 2022}
   */
  career: {
    ...LIKE_GPT2,
    vocabSize: 335,
    dModel: 192,
    dHidden: 768,
    numBlocks: 12,
    numHeads: 3,
    numKvHeads: 3,
    headDim: 64,
    mlp: "gelu",
    tieEmbeddings: false,
  },
  /** @see {@link https://huggingface.co/openai-community/gpt2} */
  "gpt2-124m": {
    ...LIKE_GPT2,
    vocabSize: 50_257,
    dModel: 768,
    dHidden: 3072,
    numBlocks: 12,
    numHeads: 12,
    numKvHeads: 12,
    headDim: 64,
    maxSeqLen: 1024,
    mlp: "geluTanh",
  },
  /** @see {@link https://huggingface.co/HuggingFaceTB/SmolLM2-135M} */
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
  /** @see {@link https://huggingface.co/meta-llama/Llama-3.2-1B} */
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
