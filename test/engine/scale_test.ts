import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { scale } from "../../engine/ops/scale.ts";
import { openGpu, uniform } from "../support.ts";
import { runOp } from "./run_op.ts";
import { checkFloat16, checkOp, F16_SUM_TOLERANCE, withoutFloat16 } from "./check_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// One rounding of f32 each way.
const TOLERANCE = { rtol: 2e-7, atol: 1e-7 };
const FACTOR = -1.75;

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // One; odd; the lanes of a workgroup of either variant, exactly and with one more.
  for (const length of [1, 7, 64, 513]) {
    const inputs = { x: { shape: [length], values: uniform(length, 1) } };

    test(`scale() ${variant} of ${length} elements matches float64, forward and backward`, () =>
      checkOp(gpu, variant, {
        inputs,
        op: (tape, { x }) => scale(tape, x, FACTOR),
        reference: ({ x }) => x.map((value) => FACTOR * value),
        tolerance: TOLERANCE,
      }));

    test(
      `scale() ${variant} of ${length} halves adds a second gradient to the first`,
      { skip: withoutFloat16(gpu) },
      () =>
        checkFloat16(gpu, variant, {
          inputs,
          op: (tape, { x }) => add(tape, scale(tape, x, FACTOR), scale(tape, x, FACTOR)),
          reference: ({ x }) => x.map((value) => 2 * FACTOR * value),
          tolerance: F16_SUM_TOLERANCE,
        }),
    );
  }
}

// Tiled only: more than 65,535 workgroups of the flat variant, of 512 elements, need 128 MiB.
test("scale() tiled reaches elements beyond 65 535 workgroups", async () => {
  const values = uniform(65_600 * 64, 1);
  const { y } = await runOp(gpu, "tiled", {
    inputs: { x: { shape: [values.length], values } },
    op: (tape, { x }) => scale(tape, x, -0.5),
  });
  assert.deepEqual(
    y,
    values.map((value) => -0.5 * value),
  );
});
