import type { Gpu } from "../../engine/gpu.ts";
import type { FileSet } from "../checkpoint/byte_source.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { attachLora, type LoraAdapter, loraLabels } from "./adapter.ts";
import { adaptedModules, type LoraConfig } from "./config.ts";
import { readPeft } from "./read_peft.ts";

/**
 * Copies the adapters of a model back to the host, to save or merge them.
 *
 * @param gpu The model's device.
 * @param model What `attachLora()` gave.
 * @param lora How it was adapted.
 * @throws {RangeError} If the model is not adapted so.
 */
export async function captureLora(
  gpu: Gpu,
  model: Transformer,
  lora: LoraConfig,
): Promise<LoraAdapter> {
  const byLabel = new Map(model.parameters.map((parameter) => [parameter.label, parameter]));
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const module of adaptedModules(model.config, lora)) {
    for (const label of Object.values(loraLabels(module))) {
      const parameter = byLabel.get(label);
      if (parameter === undefined) {
        throw new RangeError(
          `Cannot capture adapters: the model must have "${label}", got a model without it`,
        );
      }
      values.set(label, await gpu.read(parameter));
    }
  }
  return { config: lora, values };
}

/**
 * A loaded model with an adapter that PEFT, or this program, has saved.
 *
 * @param gpu The device of `base`.
 * @param base The model beneath, in whatever format it is held; its tensors are shared.
 * @param files Folder with `adapter_config.json` and `adapter_model.safetensors`.
 * @throws {SyntaxError} If a file is missing, malformed or not supported, naming file and field.
 * @throws {RangeError} If the adapter does not fit the model.
 * @example
 * const base = await loadTransformer(gpu, stored, { dtype: "int8" });
 * const model = await loadAdapter(gpu, base, files);
 */
export async function loadAdapter(
  gpu: Gpu,
  base: Transformer,
  files: FileSet,
): Promise<Transformer> {
  const { config, values } = await readPeft(files, base.config);
  return attachLora(gpu, base, config, { values });
}
