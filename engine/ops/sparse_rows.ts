import {
  SPARSE_COLUMNS,
  sparseRowsBackwardFlat,
  sparseRowsBackwardTiled,
  sparseRowsForward,
} from "../../shaders/sparse_rows.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import type { SparseInput } from "../sparse_input.ts";
import type { Tape } from "../tape.ts";
import { describe, isParameter, type Tensor } from "../tensor.ts";

/**
 * Product of sparse rows with a table, in f32.
 *
 *     y[r] = Σ_k values[k] · table[columns[k]]
 *
 * With values of one it adds up the rows of a table that categories name; with values of 1/n it
 * takes means. Differentiable in `table` where that is a parameter; every sum has one owner and a
 * fixed order, so that reruns are equal in every bit.
 *
 * @param tape Where to record.
 * @param table `[numFeatures, dModel]`, f32; faster where `dModel` is a multiple of 4.
 * @param sparse Which rows of the table each row adds up.
 * @returns `[numRows, dModel]`, f32.
 * @throws {RangeError} If `table` is not shaped as the sparse rows need it.
 * @throws {TypeError} If `table` is not f32, or an activation that carries a gradient.
 */
export function sparseRows(tape: Tape, table: Tensor, sparse: SparseInput): Tensor {
  check(table, sparse);
  const { numRows, numFeatures, starts, columns, values } = sparse;
  const dModel = table.shape[1]!;
  const y = tape.activation([numRows, dModel], {
    label: `sparseRows(${table.label})`,
    from: [table],
  });
  const [element, size] = dModel % 4 === 0 ? (["vec4f", 4] as const) : (["f32", 1] as const);
  const width = dModel / size;
  const { workgroupSize } = lanesOf(tape.variant);
  const constants = { element, workgroupSize, perLane: perLaneOf(width, workgroupSize) };
  tape.dispatch(sparseRowsForward, {
    constants,
    params: { numRows, numFeatures, width },
    buffers: { table, starts, columns, values, y },
    workgroups: numRows,
  });
  tape.onBackward(y, (dy) =>
    tape.addGradient(table, (dTable) => {
      const { columnStarts, rows, rowValues } = sparse;
      const buffers = { dy, starts: columnStarts, rows, values: rowValues, dTable };
      const params = { numFeatures, width };
      if (tape.variant === "tiled") {
        const workgroups = numFeatures * Math.ceil(width / SPARSE_COLUMNS);
        const given = { constants: { element }, params, buffers, workgroups };
        tape.dispatch(sparseRowsBackwardTiled, given);
      } else {
        const workgroups = numFeatures * Math.ceil(width / (workgroupSize * constants.perLane));
        tape.dispatch(sparseRowsBackwardFlat, { constants, params, buffers, workgroups });
      }
    }),
  );
  return y;
}

/** Most elements that a lane sums side by side: beyond, registers spill. */
const MOST_PER_LANE = 4;

/** Elements of a lane, so that as few rounds as can be are equally long. */
function perLaneOf(width: number, workgroupSize: number): number {
  const rounds = Math.ceil(width / (workgroupSize * MOST_PER_LANE));
  return Math.ceil(width / (workgroupSize * rounds));
}

function check(table: Tensor, { numFeatures }: SparseInput): void {
  if (table.shape.length !== 2 || table.shape[0] !== numFeatures) {
    throw new RangeError(
      `Cannot apply sparseRows(): table must be [${numFeatures}, dModel], got ${describe(table)}`,
    );
  }
  if (table.dtype !== "f32") {
    throw new TypeError(`Cannot apply sparseRows(): table must be f32, got ${describe(table)}`);
  }
  if (!table.needsGradient || isParameter(table)) return;
  throw new TypeError(
    `Cannot apply sparseRows() to "${table.label}": a trained table must be a parameter, got an activation`,
  );
}
