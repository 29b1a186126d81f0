import { packedEmbedding as kernel } from "../../shaders/packed_embedding.wgsl.ts";
import { alignmentOf } from "../../shaders/packed.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import { part, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, storageOf, type Tensor } from "../tensor.ts";
import { weightStorageOf } from "./packed_matmul.ts";

/**
 * Records the lookup of rows of a table in any storage, unpacked, into an existing tensor;
 * not differentiable by itself.
 *
 *     y[t] = table[ids[t]]
 *
 * @param tape Where to record.
 * @param tensors `table`: `[vocabSize, dModel]`; `ids`: u32; `y`: `[…ids, dModel]` f32 or f16.
 * @throws {TypeError} If the table holds no weights.
 */
export function packedEmbedding(
  tape: Tape,
  { table, ids, y }: Readonly<Record<"table" | "ids" | "y", Tensor>>,
): void {
  const [vocabSize = 0, dModel = 0] = table.shape;
  const numTokens = sizeOf(ids.shape);
  const weight = weightStorageOf(table);
  const { workgroupSize } = lanesOf(tape.variant);
  for (const range of rowChunks(table, tape.maxBindingBytes)) {
    const { begin: rowBegin, end: rowEnd } = range;
    tape.dispatch(kernel, {
      constants: {
        weight,
        alignment: alignmentOf(weight, dModel),
        storage: storageOf(y),
        workgroupSize,
      },
      params: { numTokens, vocabSize, dModel, rowBegin, rowEnd },
      buffers: { table: part(table, range), ids, y },
      workgroups: numTokens,
    });
  }
}
