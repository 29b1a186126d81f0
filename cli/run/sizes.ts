import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";

/** A model's sizes, without what the data decide. */
export type ModelSizes = Omit<ModelConfig, "vocabSize" | "maxSeqLen">;

/** Presets of `--size`; weights with a vocabulary of 2,048 tokens in brackets. */
export const SIZES = {
  /** 0.3M */
  tiny: sizes({ dModel: 64, dHidden: 172, numBlocks: 3, numHeads: 4 }),
  /** 0.9M */
  small: sizes({ dModel: 128, dHidden: 256, numBlocks: 4, numHeads: 8 }),
  /** 5.3M */
  base: sizes({ dModel: 256, dHidden: 688, numBlocks: 6, numHeads: 8 }),
} as const;

/** Names of {@linkcode SIZES}. */
export type SizeName = keyof typeof SIZES;

/** What distinguishes one size from another; `numKvHeads` and `headDim` follow unless given. */
interface SizeChoice {
  readonly dModel: number;
  readonly dHidden: number;
  readonly numBlocks: number;
  readonly numHeads: number;
  readonly numKvHeads?: number;
  readonly headDim?: number;
  readonly dropout?: number;
}

/** A Llama of these sizes; heads share the width of the model evenly. */
export function sizes(choice: SizeChoice): ModelSizes {
  const { vocabSize: _, maxSeqLen: __, ...rest } = { vocabSize: 0, ...DEFAULT_CONFIG };
  const { dModel, numHeads } = choice;
  return {
    ...rest,
    dropout: 0.05,
    numKvHeads: numHeads,
    headDim: Math.max(2, 2 * Math.floor(dModel / numHeads / 2)),
    ...choice,
  };
}
