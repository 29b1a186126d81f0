import type { ModelConfig } from "../../model/transformer/config.ts";
import { KNOWN_CONFIGS } from "../../model/transformer/known_configs.ts";

/** A model whose shapes are measured. */
export interface ModelShape {
  readonly name: string;
  readonly config: ModelConfig;
}

export const STORIES_260K: ModelShape = {
  name: "stories260K",
  config: KNOWN_CONFIGS.stories260k,
};
export const CAREER: ModelShape = { name: "CAREER", config: KNOWN_CONFIGS.career };
export const GPT2_124M: ModelShape = { name: "GPT-2 124M", config: KNOWN_CONFIGS["gpt2-124m"] };
export const SMOLLM2_135M: ModelShape = {
  name: "SmolLM2-135M",
  config: KNOWN_CONFIGS["smollm2-135m"],
};
export const LLAMA_3_2_1B: ModelShape = {
  name: "Llama-3.2-1B",
  config: KNOWN_CONFIGS["llama-3.2-1b"],
};

/** The models whose shapes are measured, the smallest first. */
export const MODELS: readonly ModelShape[] = [
  STORIES_260K,
  CAREER,
  GPT2_124M,
  SMOLLM2_135M,
  LLAMA_3_2_1B,
];
