import type { StoredModel, StoredWeight } from "../../model/checkpoint/stored_model.ts";
import type { ModelConfig } from "../../model/transformer/config.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { randomInitializer } from "../../model/transformer/weights.ts";

/** A model of random weights, which are drawn as they are read: nothing is on disk. */
export function randomModel(name: string, config: ModelConfig): StoredModel {
  const initialize = randomInitializer(1);
  const weights = new Map<string, StoredWeight>();
  for (const { label, shape } of weightShapes(config)) {
    const index = weights.size;
    const read = () => {
      const values = initialize(shape, label, index);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      return Promise.resolve({ dtype: "F32" as const, shape, bytes });
    };
    weights.set(label, { dtype: "F32", shape, read });
  }
  return { name: `random ${name}`, config, weights };
}
