import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { softmaxLoss } from "../../engine/ops/softmax_loss.ts";
import { sparseRows } from "../../engine/ops/sparse_rows.ts";
import { SparseInput, type SparseRows } from "../../engine/sparse_input.ts";
import { softmaxLossReference, sparseRowsReference } from "../reference/softmax_regression.ts";
import { openGpu, uniform } from "../support.ts";
import { checkOp } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Sums of up to 300 terms in [-1, 1); f32 rounds each partial sum.
const TOLERANCE = { rtol: 1e-6, atol: 2e-5 };
// Central differences of the log of a sum of 40 exponentials; f32 exp is good to some 1e-6.
const LOSS_TOLERANCE = { rtol: 3e-6, atol: 3e-6 };

/** Rows of 0 to 5 entries; the first column is in every row that has any. */
function rowsOf(numRows: number, numFeatures: number): Required<SparseRows> {
  const random = uniform(numRows * 8, 3);
  const starts = [0];
  const columns: number[] = [];
  for (let row = 0; row < numRows; row++) {
    const count = row === 0 ? 2 : Math.floor((random[row * 8]! + 1) * 3);
    for (let k = 0; k < count; k++) {
      const column = k === 0 ? 0 : Math.floor(((random[row * 8 + k]! + 1) / 2) * numFeatures);
      columns.push(column);
    }
    starts.push(columns.length);
  }
  return {
    starts: Uint32Array.from(starts),
    columns: Uint32Array.from(columns),
    values: uniform(columns.length, 4),
  };
}

function inputOf(rows: SparseRows, numRows: number, numFeatures: number): SparseInput {
  const input = new SparseInput(gpu, { numRows, numFeatures, maxEntries: rows.columns.length });
  input.write(rows);
  return input;
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // One; odd; widths of whole vectors, beyond a workgroup; more features than rows.
  for (const [numRows, numFeatures, dModel] of [
    [1, 1, 1],
    [7, 5, 3],
    [33, 9, 36],
    [300, 4, 8],
    [5, 40, 140],
  ] as const) {
    test(`sparseRows() ${variant} of ${numRows} rows over [${numFeatures}, ${dModel}] matches float64, forward and backward`, () => {
      const rows = rowsOf(numRows, numFeatures);
      return checkOp(gpu, variant, {
        inputs: {
          table: { shape: [numFeatures, dModel], values: uniform(numFeatures * dModel, 1) },
        },
        op: (tape, { table }) => sparseRows(tape, table, inputOf(rows, numRows, numFeatures)),
        reference: ({ table }) => sparseRowsReference(table, rows, dModel),
        tolerance: TOLERANCE,
      });
    });
  }

  for (const [numRows, numClasses, stride, limit] of [
    [1, 1, 1, Infinity],
    [7, 5, 8, Infinity],
    [17, 8, 8, 0.5],
    [3, 130, 132, 0.9],
  ] as const) {
    test(`softmaxLoss() ${variant} of ${numRows} rows of ${numClasses} in ${stride}, clamped at ${limit}, matches float64`, () => {
      const targets = Uint32Array.from({ length: numRows }, (_, row) => (row * 7) % numClasses);
      return checkOp(gpu, variant, {
        inputs: { logits: { shape: [numRows, stride], values: uniform(numRows * stride, 5) } },
        op: (tape, { logits }) =>
          softmaxLoss(tape, {
            logits,
            targets: gpu.tensor([numRows], { label: "targets", dtype: "u32", values: targets }),
            numClasses,
            limit,
          }),
        reference: ({ logits }) =>
          softmaxLossReference(logits, targets, { stride, numClasses, limit }),
        tolerance: LOSS_TOLERANCE,
      });
    });
  }

  test(`softmaxLoss() ${variant} of huge logits is finite`, async () => {
    const { y, gradients } = await runOp(gpu, variant, {
      inputs: {
        logits: { shape: [2, 4], values: Float32Array.of(1e4, -1e4, 0, 0, 0, 0, 0, 1e30) },
      },
      op: (tape, { logits }) =>
        softmaxLoss(tape, {
          logits,
          targets: gpu.tensor([2], { label: "t", dtype: "u32", values: Uint32Array.of(1, 3) }),
        }),
      dy: Float32Array.of(1, 1),
    });
    assert.deepEqual([...y], [20_000, 0]);
    assert.deepEqual([...gradients.logits], [1, -1, 0, 0, 0, 0, 0, 0]);
  });
}

test("sparse rows that are written again leave nothing of those before", async () => {
  const input = new SparseInput(gpu, { numRows: 3, numFeatures: 4, maxEntries: 6 });
  input.write(rowsOf(3, 4).columns.length <= 6 ? rowsOf(3, 4) : rowsOf(1, 4));
  input.write({ starts: Uint32Array.of(0, 1), columns: Uint32Array.of(2) });
  const { y, gradients } = await runOp(gpu, gpu.variant, {
    inputs: { table: { shape: [4, 2], values: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) } },
    op: (tape, { table }) => sparseRows(tape, table, input),
    dy: Float32Array.of(1, 1, 1, 1, 1, 1),
  });
  assert.deepEqual([...y], [5, 6, 0, 0, 0, 0]);
  assert.deepEqual([...gradients.table], [0, 0, 0, 0, 1, 1, 0, 0]);
});

test("sparse rows that do not fit are refused by what is wrong", () => {
  const input = new SparseInput(gpu, { numRows: 2, numFeatures: 3, maxEntries: 2 });
  const write = (starts: number[], columns: number[]) => () =>
    input.write({ starts: Uint32Array.from(starts), columns: Uint32Array.from(columns) });
  assert.throws(write([0, 1], [3]), /columns must be below 3, got 3/);
  assert.throws(write([0, 1, 1, 1], [0]), /there must be 0 to 2 rows, got 3/);
  assert.throws(write([0, 3], [0, 0, 0]), /at most 2 entries, got 3/);
  assert.throws(write([0, 2, 1], [0]), /starts must ascend/);
  assert.throws(write([1, 1], [0]), /starts must go from 0 to 1/);
});
