import type { ModelConfig } from "../../model/transformer/config.ts";
import { KNOWN_CONFIGS } from "../../model/transformer/known_configs.ts";
import { SIZES } from "./sizes.ts";

/** Tokens of the vocabulary of models that a run would train. */
const VOCAB_SIZE = 2048;

/** Sizes to profile and to tune for without a model at hand, by their name on the command line. */
export const BUILT_IN_SIZES: Readonly<Record<string, ModelConfig>> = {
  ...Object.fromEntries(
    Object.entries(SIZES).map(([name, sizes]) => [
      name,
      { ...sizes, vocabSize: VOCAB_SIZE, maxSeqLen: 1024 },
    ]),
  ),
  ...KNOWN_CONFIGS,
};
