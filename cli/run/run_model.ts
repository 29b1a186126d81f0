import type { Gpu } from "../../engine/gpu.ts";
import { attachLora, loraShapes } from "../../model/lora/adapter.ts";
import { adaptedModules, strengthOf } from "../../model/lora/config.ts";
import { readPeft } from "../../model/lora/read_peft.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { type WeightShape, weightShapes } from "../../model/transformer/weight_shapes.ts";
import { EXIT, failingAs } from "../platform/errors.ts";
import { withPath } from "../platform/file_source.ts";
import type { BaseModel } from "./base_model.ts";
import type { Start } from "./resume.ts";
import type { RunSettings } from "./settings.ts";

/** Names and shapes of what a run trains: weights, or adapters. */
export function trainedShapes({
  model,
  pretrained,
}: Pick<RunSettings, "model" | "pretrained">): readonly WeightShape[] {
  const lora = pretrained?.lora;
  if (lora === undefined) return [...weightShapes(model)];
  return adaptedModules(model, lora).flatMap((module) =>
    loraShapes(module, strengthOf(lora, module.name)),
  );
}

/** What {@linkcode createModel} makes a model of. */
export interface ModelParts {
  readonly settings: RunSettings;
  readonly start: Start;
  readonly base: BaseModel | undefined;
}

/**
 * Puts the model of a run onto a device, as it is at the beginning or at the checkpoint to go on
 * from: random, somebody's, or somebody's with adapters. Weights come one at a time.
 *
 * @throws {CliError} With exit code 4 if the device has too little memory; exit code 5 if an
 *   adapter does not fit.
 */
export async function createModel(gpu: Gpu, parts: ModelParts): Promise<Transformer> {
  const { settings, start, base } = parts;
  const { seed, model: config, pretrained } = settings;
  const { checkpoint } = start;
  if (pretrained?.lora !== undefined && base !== undefined) {
    return createAdapted(gpu, parts, base);
  }
  const stored = checkpoint?.model ?? base?.stored;
  return failingAs(EXIT.device, () =>
    stored === undefined
      ? Transformer.create(gpu, config, { seed })
      : loadTransformer(gpu, { ...stored, config }, { trainable: true }),
  );
}

async function createAdapted(
  gpu: Gpu,
  { settings, start: { checkpoint } }: ModelParts,
  base: BaseModel,
): Promise<Transformer> {
  const { seed, model: config, pretrained } = settings;
  const { lora, baseDtype = "f32" } = pretrained!;
  const values =
    checkpoint === undefined
      ? undefined
      : (await withPath(checkpoint.path, () => readPeft(checkpoint.files, config))).values;
  return failingAs(EXIT.device, async () => {
    const beneath = await loadTransformer(gpu, { ...base.stored, config }, { dtype: baseDtype });
    return attachLora(gpu, beneath, lora!, values === undefined ? { seed } : { values });
  });
}
