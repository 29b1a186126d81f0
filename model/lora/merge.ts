import { toFloat32 } from "../checkpoint/gguf/to_float32.ts";
import type { StoredModel, StoredWeight } from "../checkpoint/stored_model.ts";
import { type LoraAdapter, loraLabels } from "./adapter.ts";
import { adaptedModules, loraScale, strengthOf } from "./config.ts";
import type { LinearModule } from "./modules.ts";

/**
 * A matrix with its change added, in f32: `W + scale · B · A`, each product summed in float64 and
 * the result rounded once.
 *
 * @param weight `[dOut, dIn]`
 * @param adapter `a` `[rank, dIn]`, `b` `[dOut, rank]`.
 */
export function mergeLora(
  weight: Float32Array,
  { a, b, scale }: { readonly a: Float32Array; readonly b: Float32Array; readonly scale: number },
  { dOut, dIn }: Pick<LinearModule, "dOut" | "dIn">,
): Float32Array<ArrayBuffer> {
  const rank = a.length / dIn;
  const merged = new Float32Array(weight.length);
  const change = new Float64Array(dIn);
  for (let row = 0; row < dOut; row++) {
    change.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = b[row * rank + r]!;
      for (let i = 0; i < dIn; i++) change[i]! += factor * a[r * dIn + i]!;
    }
    for (let i = 0; i < dIn; i++)
      merged[row * dIn + i] = weight[row * dIn + i]! + scale * change[i]!;
  }
  return merged;
}

/**
 * A stored model with an adapter's changes added to its matrices, each when it is read: as f32,
 * whatever it was. All other weights stay as they are.
 *
 * @throws {RangeError} If the adapter does not fit the model.
 */
export function mergedModel(stored: StoredModel, adapter: LoraAdapter): StoredModel {
  const { config: lora, values } = adapter;
  const weights = new Map(stored.weights);
  for (const module of adaptedModules(stored.config, lora)) {
    const labels = loraLabels(module);
    const strength = strengthOf(lora, module.name);
    const a = valuesOf(values.get(labels.a), {
      label: labels.a,
      length: strength.rank * module.dIn,
    });
    const b = valuesOf(values.get(labels.b), {
      label: labels.b,
      length: module.dOut * strength.rank,
    });
    const scale = loraScale({ ...strength, rsLora: lora.rsLora });
    const label = `${module.name}.weight`;
    weights.set(label, mergedWeight(stored.weights.get(label)!, { a, b, scale }, module));
  }
  return { ...stored, weights };
}

function mergedWeight(
  stored: StoredWeight,
  adapter: Parameters<typeof mergeLora>[1],
  module: LinearModule,
): StoredWeight {
  const { shape } = stored;
  return {
    dtype: "F32",
    shape,
    async read() {
      const merged = mergeLora(toFloat32(await stored.read()), adapter, module);
      return { dtype: "F32", shape, bytes: new Uint8Array(merged.buffer) };
    },
  };
}

function valuesOf(
  values: Float32Array<ArrayBuffer> | undefined,
  { label, length }: { readonly label: string; readonly length: number },
): Float32Array<ArrayBuffer> {
  if (values?.length === length) return values;
  const got = values === undefined ? "none" : `${values.length}`;
  throw new RangeError(
    `Cannot merge an adapter: "${label}" must have ${length} values, got ${got}`,
  );
}
