import { sumColumnsOfChunks } from "../../shaders/sum_columns.wgsl.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";

const WORKGROUP_SIZE = 32;

/**
 * Records the sum over all axes but the last; not differentiable by itself.
 *
 *     y[n] (+)= Σ_m x[m, n]
 *
 * @param tape Where to record.
 * @param x `[…, numColumns]`, f32.
 * @param y `[numColumns]`, f32.
 * @param accumulate Adds to `y` instead of storing.
 */
export function sumColumns(tape: Tape, x: Tensor, y: Tensor, accumulate: boolean): void {
  const numColumns = x.shape.at(-1) ?? 1;
  const numRows = sizeOf(x.shape) / numColumns;
  const chunkRows = Math.max(1, Math.ceil(Math.sqrt(numRows)));
  const numChunks = Math.ceil(numRows / chunkRows);
  const groupsAcross = Math.ceil(numColumns / WORKGROUP_SIZE);
  const partial = tape.activation([numChunks, numColumns], { label: `partial ${y.label}` });
  tape.dispatch(sumColumnsOfChunks, {
    constants: { accumulate: false, workgroupSize: WORKGROUP_SIZE },
    params: { numRows, numColumns, chunkRows },
    buffers: { x, y: partial },
    workgroups: groupsAcross * numChunks,
  });
  tape.dispatch(sumColumnsOfChunks, {
    constants: { accumulate, workgroupSize: WORKGROUP_SIZE },
    params: { numRows: numChunks, numColumns, chunkRows: numChunks },
    buffers: { x: partial, y },
    workgroups: groupsAcross,
  });
}
