import { type Command, Option } from "commander";
import type { WeightDType } from "../../engine/pack.ts";
import { type Kernels, KERNELS, WEIGHT_DTYPES } from "../run/choices.ts";
import { addDeviceFlags, deviceOf, type DeviceFlags } from "../run/device_flags.ts";
import type { ModelRequest } from "../run/load_model.ts";
import { Progress } from "../run/progress.ts";

/** What all commands that run a model say of it. */
export const MODEL_ARGUMENT =
  "a folder (Hugging Face's layout, a run, a checkpoint), a .gguf or llama2.c .bin file, a URL, or org/name that tenure pull has fetched";

/** Flags of {@linkcode addModelFlags}. */
export interface ModelFlags extends DeviceFlags {
  readonly dtype: WeightDType;
  readonly tokenizer?: string;
  readonly revision?: string;
  readonly adapter?: string;
  readonly kernels: Kernels;
}

/** Adds the flags that say which model is loaded, and how. */
export function addModelFlags(command: Command): Command {
  const withModel = command
    .addOption(
      new Option("--dtype <type>", "how weights are held on the device")
        .choices(WEIGHT_DTYPES)
        .default("f32"),
    )
    .option("--tokenizer <file>", "a tokenizer.json, or llama2.c's tokenizer.bin, to use instead")
    .option("--adapter <folder>", "a LoRA adapter as PEFT saves it, on top of the model")
    .option("--revision <name>", "branch, tag or commit of an org/name (default: main)")
    .addOption(new Option("--kernels <kind>", "kernels").choices(KERNELS).default("auto"));
  return addDeviceFlags(withModel);
}

/** The request that the flags make. */
export function modelRequest(
  path: string,
  { dtype, tokenizer, revision, adapter, kernels, ...device }: ModelFlags,
  signal: AbortSignal,
): ModelRequest {
  return {
    path,
    dtype,
    kernels,
    device: deviceOf(device),
    ...(tokenizer !== undefined && { tokenizer }),
    ...(revision !== undefined && { revision }),
    ...(adapter !== undefined && { adapter }),
    progress: new Progress(),
    signal,
  };
}
