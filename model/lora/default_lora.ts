import type { LoraConfig } from "./config.ts";

/** What every field is unless said otherwise. */
export const DEFAULT_LORA: LoraConfig = {
  rank: 16,
  alpha: 32,
  dropout: 0,
  targetModules: "all-linear",
  rsLora: false,
};
