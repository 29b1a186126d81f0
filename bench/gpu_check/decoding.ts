import { toFloat16 } from "../../engine/float16.ts";
import { sizeOf } from "../../engine/tensor.ts";
import type {
  EncodedWeight,
  StoredModel,
  StoredWeight,
} from "../../model/checkpoint/stored_model.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { uniform } from "../cases/case_tensors.ts";
import {
  LLAMA_3_2_1B,
  type ModelShape,
  type Scale,
  SMOLLM2_135M,
  STORIES_260K,
} from "../cases/mod.ts";
import type { BenchItem } from "../suite/item.ts";
import { generationItem } from "../suite/generation_items.ts";

/** Random numbers that every weight repeats: models of billions would take minutes to draw. */
const TABLE_LENGTH = 2 ** 16;

/** Models and formats to decode with, the largest last. */
export function decodingItems(scale: Scale): BenchItem[] {
  const held =
    scale === "full"
      ? ([
          [SMOLLM2_135M, "f16"],
          [SMOLLM2_135M, "int4"],
          [LLAMA_3_2_1B, "f16"],
        ] as const)
      : ([
          [STORIES_260K, "f32"],
          [STORIES_260K, "int8"],
        ] as const);
  return held.map(([shape, dtype]) =>
    generationItem({ model: { name: shape.name, stored: repeatedModel(shape) }, dtype }),
  );
}

/** A model of halves that repeat a table of random numbers; gains are 1. */
function repeatedModel({ name, config }: ModelShape): StoredModel {
  const draw = uniform(1);
  const weights = new Map<string, StoredWeight>();
  for (const { label, shape } of weightShapes(config)) {
    const isVector = shape.length < 2;
    const scale = Math.sqrt(3 / (shape[1] ?? 1)); // of variance 1 / dIn
    const table = toFloat16(
      Float32Array.from({ length: isVector ? 1 : TABLE_LENGTH }, () =>
        isVector ? 1 : scale * draw(),
      ),
    );
    const read = (): Promise<EncodedWeight> => {
      const halves = new Uint16Array(sizeOf(shape));
      for (let at = 0; at < halves.length; at += table.length) {
        halves.set(table.subarray(0, halves.length - at), at);
      }
      return Promise.resolve({ dtype: "F16", shape, bytes: new Uint8Array(halves.buffer) });
    };
    weights.set(label, { dtype: "F16", shape, read });
  }
  return { name, config, weights };
}
