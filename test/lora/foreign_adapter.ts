import { encodeSafetensors, type FloatTensor } from "../../model/checkpoint/safetensors.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import { type PeftAdapter, readPeft } from "../../model/lora/read_peft.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { type Files, folderOf, jsonBytes } from "../checkpoint/memory_files.ts";
import { uniform } from "../support.ts";

export const CONFIG = "adapter_config.json";
export const WEIGHTS = "adapter_model.safetensors";

/** Reads an adapter from files in memory. */
export function readAdapter(files: Files, config: ModelConfig): Promise<PeftAdapter> {
  return readPeft(folderOf(files), config);
}

/** An adapter of GPT-2's layers as other programs write it, with one A for all of `c_attn`. */
export function foreignFiles(
  change: JsonObject = {},
  metadata?: ReadonlyMap<string, string>,
): Files {
  const tensors = new Map<string, FloatTensor>(
    [0, 1].flatMap((block): [string, FloatTensor][] => {
      const name = `base_model.model.transformer.h.${block}.attn.c_attn`;
      return [
        [`${name}.lora_A.weight`, { shape: [3, 4], values: uniform(12, block) }],
        [`${name}.lora_B.weight`, { shape: [12, 3], values: uniform(36, block + 9) }],
      ];
    }),
  );
  const json = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    r: 3,
    lora_alpha: 6,
    lora_dropout: 0.25,
    target_modules: ["c_attn"],
    fan_in_fan_out: true,
    bias: "none",
    base_model_name_or_path: "gpt2",
    ...change,
  };
  return new Map([
    [CONFIG, jsonBytes(json)],
    [WEIGHTS, encodeSafetensors(tensors, metadata)],
  ]);
}
