import {
  embeddingBackwardFlat,
  embeddingBackwardTiled,
  embeddingForward,
  TILED_COLUMNS,
} from "../../shaders/embedding.wgsl.ts";
import { checkFrozen, isPacked } from "./packed_matmul.ts";
import { packedEmbedding } from "./packed_embedding.ts";
import { lanesOf } from "../lanes.ts";
import { TokenInput } from "../segments.ts";
import { part, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, isParameter, sizeOf, storageOf, type Tensor } from "../tensor.ts";

/**
 * Rows of a table, looked up by id.
 *
 *     y[t] = table[tokens[t]]
 *
 * Differentiable in `table` where that is a parameter, whose gradient is f32: every row adds up in the order of the
 * positions, so that reruns are equal in every bit. An id beyond the table, which
 * {@linkcode TokenInput.write} refuses, reads the last row. A table larger than the device can bind
 * at once is taken in parts of its rows.
 *
 * @param tape Where to record.
 * @param table `[vocabSize, dModel]`, f32 or f16; frozen ones also bf16, int8 or int4.
 * @param tokens Ids with their segments; a u32 tensor of ids alone serves a frozen table.
 * @param options `dtype`: what to store rows as.
 *   `@default {f16 if the table is, else f32}`
 * @returns `[numTokens, dModel]`, or the shape of the ids with `dModel` appended, in `dtype`.
 * @throws {RangeError} If `table` is no matrix, or not of the tokens' vocabulary.
 * @throws {TypeError} If the ids are not u32, or have no segments while `table` needs a gradient.
 *
 * @example
 * ```ts ignore
 * const tokens = new TokenInput(gpu, { numTokens: 256, vocabSize: 512 });
 * const x = embedding(tape, weights.embedding, tokens);
 * tokens.write(batch.tokens); // before each step
 * ```
 */
export function embedding(
  tape: Tape,
  table: Tensor,
  tokens: TokenInput | Tensor,
  { dtype = table.dtype === "f16" ? "f16" : "f32" }: { readonly dtype?: "f32" | "f16" } = {},
): Tensor {
  const ids = tokens instanceof TokenInput ? tokens.ids : tokens;
  const [vocabSize = 0, dModel = 0] = table.shape;
  const isFrozen = isPacked(table, { dtype });
  if (isFrozen) checkFrozen("embedding()", table);
  check(table, tokens, ids);
  const y = tape.activation([...ids.shape, dModel], {
    label: `embedding(${table.label})`,
    dtype,
    from: [table],
  });
  if (isFrozen) {
    packedEmbedding(tape, { table, ids, y });
    return y;
  }
  const numTokens = sizeOf(ids.shape);
  const { workgroupSize } = lanesOf(tape.variant);
  const constants = { storage: dtype, tableStorage: storageOf(table), workgroupSize };
  // Every id lies in one part of the table: each row of y is written once.
  for (const range of rowChunks(table, tape.maxBindingBytes)) {
    const { begin: rowBegin, end: rowEnd } = range;
    tape.dispatch(embeddingForward, {
      constants,
      params: { numTokens, vocabSize, dModel, rowBegin, rowEnd },
      buffers: { table: part(table, range), ids, y },
      workgroups: numTokens,
    });
  }
  if (!(tokens instanceof TokenInput)) return y;
  tape.onBackward(y, (dy) =>
    tape.addGradient(table, (dTable) => sum(tape, { dy, tokens, dTable })),
  );
  return y;
}

function sum(
  tape: Tape,
  { dy, tokens, dTable }: { dy: Tensor; tokens: TokenInput; dTable: Tensor },
): void {
  const { order, starts, segmentIds, vocabSize } = tokens;
  const [numSegments = 0] = segmentIds.shape;
  const dModel = dTable.shape[1] ?? 0;
  const { workgroupSize } = lanesOf(tape.variant);
  const storage = storageOf(dy);
  for (const range of rowChunks(dTable, tape.maxBindingBytes)) {
    const { begin: rowBegin, end: rowEnd } = range;
    const params = { numSegments, vocabSize, dModel, rowBegin, rowEnd };
    const buffers = { dy, order, starts, segmentIds, dTable: part(dTable, range) };
    if (tape.variant === "tiled") {
      const workgroups = numSegments * Math.ceil(dModel / TILED_COLUMNS);
      tape.dispatch(embeddingBackwardTiled, {
        constants: { storage },
        params,
        buffers,
        workgroups,
      });
    } else {
      const constants = { storage, workgroupSize };
      const workgroups = numSegments;
      tape.dispatch(embeddingBackwardFlat, { constants, params, buffers, workgroups });
    }
  }
}

function check(table: Tensor, tokens: TokenInput | Tensor, ids: Tensor): void {
  if (table.shape.length !== 2) {
    throw new RangeError(
      `Cannot apply embedding(): table must be [vocabSize, dModel], got ${describe(table)}`,
    );
  }
  if (tokens instanceof TokenInput && tokens.vocabSize !== table.shape[0]) {
    throw new RangeError(
      `Cannot apply embedding(): table must be [${tokens.vocabSize}, dModel] as the tokens are, got ${describe(table)}`,
    );
  }
  if (ids.dtype !== "u32") {
    throw new TypeError(`Cannot apply embedding(): ids must be u32, got ${describe(ids)}`);
  }
  if (!table.needsGradient) return;
  // Rows that no token names would keep the garbage of an activation's fresh gradient.
  if (!isParameter(table) || !(tokens instanceof TokenInput)) {
    throw new TypeError(
      `Cannot apply embedding() to "${table.label}": a trained table must be a parameter looked up by a TokenInput, ` +
        `got ${isParameter(table) ? "ids without segments" : "an activation"}`,
    );
  }
}
