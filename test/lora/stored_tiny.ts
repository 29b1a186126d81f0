import type { Gpu } from "../../engine/gpu.ts";
import { storedHuggingFaceModel } from "../../model/checkpoint/stored_hugging_face.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { filesOf, folderOf } from "../checkpoint/memory_files.ts";
import { tinyModel } from "../model/tiny_model.ts";

/** A random model in Hugging Face's layout, opened, and its weights. */
export async function storedTiny(
  gpu: Gpu,
  config: ModelConfig,
): Promise<{ stored: StoredModel; weights: ReadonlyMap<string, Float32Array<ArrayBuffer>> }> {
  const weights = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [label, tensor] of tinyModel(gpu, config).tensors) {
    weights.set(label, await gpu.read(tensor));
  }
  const stored = await storedHuggingFaceModel(folderOf(await filesOf(config, {}, weights)));
  return { stored, weights };
}
