import { sumColumnsOfChunks } from "../../shaders/sum_columns.wgsl.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, storageOf, type Tensor } from "../tensor.ts";

/** Lanes, and so columns, of a workgroup in the kernels that sum columns. */
export const COLUMN_WORKGROUP_SIZE = 32;

/** How a tall matrix is cut into chunks of rows, each summed by lanes of its own. */
export interface RowChunks {
  readonly chunkRows: number;
  readonly numChunks: number;
  /** Workgroups of one lane a column and chunk. */
  readonly workgroups: number;
}

/** Cuts `numRows` into about √numRows chunks, so that both passes of a sum are equally long. */
export function chunksOf(numRows: number, numColumns: number): RowChunks {
  const chunkRows = Math.max(1, Math.ceil(Math.sqrt(numRows)));
  const numChunks = Math.ceil(numRows / chunkRows);
  const groupsAcross = Math.ceil(numColumns / COLUMN_WORKGROUP_SIZE);
  return { chunkRows, numChunks, workgroups: groupsAcross * numChunks };
}

/**
 * Records the sum over all axes but the last, in f32; not differentiable by itself.
 *
 *     y[n] (+)= Σ_m x[m, n]
 *
 * @param tape Where to record.
 * @param x `[…, numColumns]`, f32 or f16.
 * @param y `[numColumns]`, f32 or f16.
 * @param accumulate Adds to `y` instead of storing.
 */
export function sumColumns(tape: Tape, x: Tensor, y: Tensor, accumulate: boolean): void {
  const numColumns = x.shape.at(-1) ?? 1;
  const numRows = sizeOf(x.shape) / numColumns;
  const { chunkRows, numChunks, workgroups } = chunksOf(numRows, numColumns);
  const partial = tape.activation([numChunks, numColumns], { label: `partial ${y.label}` });
  tape.dispatch(sumColumnsOfChunks, {
    constants: {
      storage: storageOf(x),
      sumStorage: "f32",
      accumulate: false,
      workgroupSize: COLUMN_WORKGROUP_SIZE,
    },
    params: { numRows, numColumns, chunkRows },
    buffers: { x, y: partial },
    workgroups,
  });
  sumChunks(tape, partial, y, accumulate);
}

/**
 * Records the second pass of a sum: adds up what each chunk of rows came to.
 *
 * @param tape Where to record.
 * @param partial `[numChunks, numColumns]`, f32.
 * @param y `[numColumns]`, f32 or f16.
 * @param accumulate Adds to `y` instead of storing.
 */
export function sumChunks(tape: Tape, partial: Tensor, y: Tensor, accumulate: boolean): void {
  const [numChunks = 0, numColumns = 0] = partial.shape;
  tape.dispatch(sumColumnsOfChunks, {
    constants: {
      storage: "f32",
      sumStorage: storageOf(y),
      accumulate,
      workgroupSize: COLUMN_WORKGROUP_SIZE,
    },
    params: { numRows: numChunks, numColumns, chunkRows: numChunks },
    buffers: { x: partial, y },
    workgroups: Math.ceil(numColumns / COLUMN_WORKGROUP_SIZE),
  });
}
