import { trainBpe } from "../../data/tokenizer/train_bpe.ts";
import { DEFAULT_CONFIG, type ModelConfig } from "../../model/transformer/config.ts";
import { exportHuggingFace, type ModelExport } from "../../model/checkpoint/export_hugging_face.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { drain, type Files } from "../checkpoint/memory_files.ts";
import { uniform } from "../support.ts";

const TEXT = "the cook cooks what the baker bakes, and the teacher teaches the baker to cook";

/** A tokenizer of 300 tokens, trained on a line. */
export const TOKENIZER = trainBpe([TEXT], {
  vocabSize: 300,
  pattern: " ?\\p{L}+|[^\\p{L}]",
  specialTokens: ["<|endoftext|>"],
});

/** A random Llama that the tokenizer fits; wide enough for blocks of 32. */
export const SMALL: ModelConfig = {
  ...DEFAULT_CONFIG,
  vocabSize: Object.keys(TOKENIZER.model.vocab).length,
  dModel: 32,
  dHidden: 64,
  numBlocks: 2,
  numHeads: 4,
  numKvHeads: 2,
  headDim: 8,
  maxSeqLen: 64,
};

/** Its weights by label. */
export const WEIGHTS = new Map(
  Array.from(weightShapes(SMALL), ({ label, shape }, index) => {
    const values = uniform(
      shape.reduce((product, length) => product * length, 1),
      index + 1,
    );
    return [label, values.map((value) => (shape.length === 1 ? 1 + value / 4 : value / 3))];
  }),
);

/** The model as files in Hugging Face's layout. */
export function smallFiles(options: Partial<ModelExport> = {}): Promise<Files> {
  return drain(
    exportHuggingFace({
      config: SMALL,
      weights: (label) => Promise.resolve(WEIGHTS.get(label)!),
      dtype: "F32",
      tokenizer: TOKENIZER,
      generation: { endTokens: [0] },
      ...options,
    }),
  );
}
