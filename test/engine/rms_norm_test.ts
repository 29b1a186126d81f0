import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { Tape } from "../../engine/tape.ts";
import { rmsNormReference } from "../reference/rms_norm.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkFloat16, checkOp, F16_SUM_TOLERANCE, withoutFloat16 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const EPS = 1e-5;

// f32 rounds at 6e-8; a row of 257 meets some 20 roundings on its way through, and a sum over
// 130 rows as many more.
const TOLERANCE = { rtol: 4e-6, atol: 4e-6 };

function inputsOf(numRows: number, dModel: number) {
  return {
    x: { shape: [numRows, dModel], values: uniform(numRows * dModel, 1) },
    weight: { shape: [dModel], values: uniform(dModel, 2) },
  };
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // One element; odd; exactly the lanes of a workgroup; several rounds, ragged; many rows.
  for (const [numRows, dModel] of [
    [1, 1],
    [3, 5],
    [8, 64],
    [9, 257],
    [130, 12],
  ] as const) {
    test(`rmsNorm() ${variant} of [${numRows}, ${dModel}] matches float64, forward and backward`, () =>
      checkOp(gpu, variant, {
        inputs: inputsOf(numRows, dModel),
        op: (tape, t) => rmsNorm(tape, t.x, t.weight, { eps: EPS }),
        reference: (at) => rmsNormReference(at, EPS),
        tolerance: TOLERANCE,
      }));
  }

  // Heads of a row, one head a row, groups of one, as many lanes as a workgroup has, more rows.
  for (const [numTokens, numHeads, headDim] of [
    [5, 3, 6],
    [3, 1, 7],
    [2, 4, 1],
    [3, 2, 64],
    [33, 5, 70],
  ] as const) {
    test(`rmsNorm() ${variant} of ${numHeads} heads of ${headDim} in ${numTokens} rows normalizes each head`, () =>
      checkOp(gpu, variant, {
        inputs: {
          x: {
            shape: [numTokens, numHeads * headDim],
            values: uniform(numTokens * numHeads * headDim, 1),
          },
          weight: { shape: [headDim], values: uniform(headDim, 2) },
        },
        op: (tape, t) => rmsNorm(tape, t.x, t.weight, { eps: EPS, headDim }),
        reference: (at) => rmsNormReference(at, EPS),
        tolerance: TOLERANCE,
      }));
  }

  test(
    `rmsNorm() ${variant} computes in f32 what is stored as f16`,
    { skip: withoutFloat16(gpu) },
    () =>
      checkFloat16(gpu, variant, {
        inputs: inputsOf(5, 33),
        op: (tape, t) => rmsNorm(tape, t.x, t.weight, { eps: EPS }),
        reference: (at) => rmsNormReference(at, EPS),
        weights: { weight: "f16" },
      }),
  );

  test(
    `rmsNorm() ${variant} of heads of halves takes f32 weights and adds a second gradient to the first`,
    { skip: withoutFloat16(gpu) },
    () =>
      checkFloat16(gpu, variant, {
        inputs: {
          x: { shape: [5, 21], values: uniform(105, 1) },
          weight: { shape: [7], values: uniform(7, 2) },
        },
        op: (tape, { x, weight }) => {
          const options = { eps: EPS, headDim: 7 };
          return add(tape, rmsNorm(tape, x, weight, options), rmsNorm(tape, x, weight, options));
        },
        reference: (at) => rmsNormReference(at, EPS).map((y) => 2 * y),
        weights: { weight: "f32" },
        tolerance: F16_SUM_TOLERANCE,
      }),
  );

  test(`rmsNorm() ${variant} reaches rows beyond 65 535 workgroups`, async () => {
    const inputs = inputsOf(65_537 * (variant === "flat" ? 8 : 1), 1);
    const { y } = await runOp(gpu, variant, {
      inputs,
      op: (tape, t) => rmsNorm(tape, t.x, t.weight, { eps: EPS }),
    });
    const at = {
      x: Float64Array.from(inputs.x.values),
      weight: Float64Array.from(inputs.weight.values),
    };
    assertClose(y, rmsNormReference(at, EPS), { what: "y", ...TOLERANCE });
  });

  test(`rmsNorm() ${variant} of a zero row is zero, not NaN, and its gradient finite`, async () => {
    const { y, gradients } = await runOp(gpu, variant, {
      inputs: { ...inputsOf(2, 4), x: { shape: [2, 4], values: new Float32Array(8) } },
      dy: uniform(8, 3),
      op: (tape, t) => rmsNorm(tape, t.x, t.weight),
    });
    assertClose(y, new Float32Array(8), { what: "y", rtol: 0, atol: 0 });
    assert.ok(gradients.x.every(Number.isFinite));
  });

  test(`rmsNorm() ${variant} stores the first gradient of an activation and adds the second`, async () => {
    // The gradient of h = x + x arrives twice; dx = 2 · dh, and y = 2 · rmsNorm(2 · x).
    const inputs = inputsOf(3, 5);
    await checkOp(gpu, variant, {
      inputs,
      op: (tape, t) => {
        const h = add(tape, t.x, t.x);
        return add(tape, rmsNorm(tape, h, t.weight), rmsNorm(tape, h, t.weight));
      },
      reference: ({ x, weight }) =>
        rmsNormReference({ x: x.map((value) => 2 * value), weight }, 1e-6).map(
          (value) => 2 * value,
        ),
      tolerance: TOLERANCE,
    });
  });
}

test("rmsNorm() throws when the weight does not fit the last axis, or heads do not", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const x = tape.activation([2, 4], { label: "x" });
  const weightOf = (length: number) => tape.activation([length], { label: "weight" });
  for (const [length, options, message] of [
    [3, {}, "weight must be [4], got [3] f32"],
    [2, {}, "weight must be [4], got [2] f32"], // half a row, which is no head unless so called
    [4, { headDim: 2 }, "weight must be [2], got [4] f32"],
    [3, { headDim: 3 }, "headDim must divide 4, got 3"],
    [0, { headDim: 0 }, "headDim must divide 4, got 0"],
  ] as const) {
    assert.throws(() => rmsNorm(tape, x, weightOf(length), options), {
      name: "RangeError",
      message: `Cannot apply rmsNorm() to x [2, 4] f32: ${message}`,
    });
  }
  const halves = tape.activation([4], { label: "weight", dtype: "f16" });
  assert.throws(() => rmsNorm(tape, x, halves), {
    name: "TypeError",
    message: "Cannot apply rmsNorm() to x [2, 4] f32: weight must be f32, got [4] f16",
  });
});
