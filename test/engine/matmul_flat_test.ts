import { after, test } from "node:test";
import { openGpu } from "../support.ts";
import { withoutFloat16 } from "./check_op.ts";
import { candidatesOf, checkProducts, type MatmulCase } from "./matmul_case.ts";

const gpu = await openGpu({ variant: "flat" });
const alone = await openGpu({ variant: "flat", subgroups: false });
after(() => [gpu, alone].forEach((each) => each.destroy()));
const skip = withoutFloat16(gpu);

const LAYOUTS = ["nn", "nt", "tn"] as const;
const F32 = ["f32", "f32", "f32"] as const;
const F16 = ["f16", "f16", "f16"] as const;

// Rows are vectors of four; odd.
const SHAPES = [
  { numRows: 20, numColumns: 36, depth: 12 },
  { numRows: 19, numColumns: 35, depth: 9 },
] as const;

for (const layout of LAYOUTS) {
  for (const { numRows, numColumns, depth } of SHAPES) {
    const one: MatmulCase = {
      layout,
      numRows,
      numColumns,
      depth,
      numBatches: 1,
      storage: F32,
      bias: true,
      residual: true,
      scale: 0.5,
    };
    const size = `[${numRows}, ${depth}] to ${numColumns}`;
    candidatesOf(gpu, "flat", one).forEach((choice, index) => {
      const name = `matmul() ${layout} of ${size} in ${JSON.stringify(choice)} matches float64`;
      test(name, { skip: index % 2 === 1 && skip }, () =>
        // Halves in every other way.
        checkProducts(gpu, "flat", [{ ...one, choice, storage: index % 2 === 1 ? F16 : F32 }]),
      );
    });
  }

  test(`matmul() ${layout} without subgroups matches float64`, () =>
    checkProducts(
      alone,
      "flat",
      SHAPES.map((shape) => ({ ...shape, layout, numBatches: 1, storage: F32 })),
    ));

  test(`matmul() ${layout} of a single row, column or term matches float64`, () =>
    checkProducts(
      gpu,
      "flat",
      [
        { numRows: 1, numColumns: 1, depth: 1 },
        { numRows: 1, numColumns: 33, depth: 4 },
        { numRows: 2, numColumns: 1, depth: 300 },
        { numRows: 16, numColumns: 32, depth: 2 },
      ].map((shape) => ({ ...shape, layout, numBatches: 1, storage: F32, scale: -2 })),
    ));
}
