import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { batchedMatmul } from "../../engine/ops/batched_matmul.ts";
import { Tape } from "../../engine/tape.ts";
import { matmulReference } from "../reference/matmul.ts";
import { openGpu, uniform } from "../support.ts";
import { checkOp } from "./check_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Sums of 12 terms in [-1, 1), in f32.
const TOLERANCE = { rtol: 2e-6, atol: 1e-5 };

const LAYOUTS = ["nn", "nt", "tn"] as const;

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const [index, layout] of LAYOUTS.entries()) {
    // The tiled variant is the same code but for where matrices begin: one layout, and its two
    // gradients, are all three layouts.
    if (variant === "tiled" && index > 0) continue;
    test(`batchedMatmul() ${variant} ${layout} matches float64, forward and backward`, () => {
      const sizes = { numBatches: 3, numRows: 5, numColumns: 7, depth: 6 };
      const { numRows, numColumns, depth } = sizes;
      const aShape = layout === "tn" ? [3, depth, numRows] : [3, numRows, depth];
      const bShape = layout === "nt" ? [3, numColumns, depth] : [3, depth, numColumns];
      return checkOp(gpu, variant, {
        inputs: {
          a: { shape: aShape, values: uniform(3 * numRows * depth, 1) },
          b: { shape: bShape, values: uniform(3 * numColumns * depth, 2) },
        },
        op: (tape, { a, b }) => batchedMatmul(tape, layout, { a, b, scale: 0.5 }),
        reference: (at) => matmulReference(layout, at, sizes).map((value) => value / 2),
        tolerance: TOLERANCE,
      });
    });
  }
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  test(`batchedMatmul() ${variant} adds nothing to the next matrix of a gradient`, () => {
    // The second product adds to the gradients: rows beyond a matrix would be added to the next.
    const sizes = { numBatches: 3, numRows: 5, numColumns: 7, depth: 6 };
    const product = (at: { a: Float64Array; b: Float64Array }) => matmulReference("nn", at, sizes);
    return checkOp(gpu, variant, {
      inputs: {
        a: { shape: [3, 5, 6], values: uniform(90, 1) },
        b: { shape: [3, 6, 7], values: uniform(126, 2) },
      },
      op: (tape, { a, b }) =>
        add(
          tape,
          batchedMatmul(tape, "nn", { a, b }),
          batchedMatmul(tape, "nn", { a, b, scale: 0.5 }),
        ),
      reference: (at) => product(at).map((value) => 1.5 * value),
      tolerance: TOLERANCE,
    });
  });
}

test("batchedMatmul() refuses batches that do not fit", () => {
  const tape = new Tape(gpu);
  const tensor = (shape: number[]) => tape.activation(shape, { label: "t" });
  for (const [a, b] of [
    [
      [2, 3, 4],
      [3, 4, 5],
    ],
    [
      [2, 3, 4],
      [2, 5, 4],
    ],
    [
      [3, 4],
      [4, 5],
    ],
  ] as const) {
    assert.throws(() => batchedMatmul(tape, "nn", { a: tensor([...a]), b: tensor([...b]) }), {
      name: "RangeError",
      message: /^Cannot multiply \(nn\) batches: shapes must fit, got a /,
    });
  }
});
