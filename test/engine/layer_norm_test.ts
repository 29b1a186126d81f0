import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { layerNorm } from "../../engine/ops/layer_norm.ts";
import { Tape } from "../../engine/tape.ts";
import { layerNormReference } from "../reference/layer_norm.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkFloat16, checkOp, F16_SUM_TOLERANCE, withoutFloat16, toFloat64 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const EPS = 1e-5;

// f32 rounds at 6e-8; a row of 257 meets some 40 roundings on its way through.
const TOLERANCE = { rtol: 5e-6, atol: 5e-6 };

function inputsOf(numRows: number, dModel: number) {
  return {
    x: { shape: [numRows, dModel], values: uniform(numRows * dModel, 1) },
    weight: { shape: [dModel], values: uniform(dModel, 2) },
    bias: { shape: [dModel], values: uniform(dModel, 3) },
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
    test(`layerNorm() ${variant} of [${numRows}, ${dModel}] matches float64, forward and backward`, () =>
      checkOp(gpu, variant, {
        inputs: inputsOf(numRows, dModel),
        op: (tape, { x, weight, bias }) => layerNorm(tape, x, { weight, bias, eps: EPS }),
        reference: (at) => layerNormReference(at, EPS),
        tolerance: TOLERANCE,
      }));
  }

  test(
    `layerNorm() ${variant} computes in f32 what is stored as f16`,
    { skip: withoutFloat16(gpu) },
    () =>
      checkFloat16(gpu, variant, {
        inputs: inputsOf(5, 33),
        op: (tape, { x, weight, bias }) => layerNorm(tape, x, { weight, bias, eps: EPS }),
        reference: (at) => layerNormReference(at, EPS),
      }),
  );

  test(
    `layerNorm() ${variant} of halves takes f32 weights and adds a second gradient to the first`,
    { skip: withoutFloat16(gpu) },
    () =>
      checkFloat16(gpu, variant, {
        inputs: inputsOf(5, 33),
        op: (tape, { x, weight, bias }) => {
          const options = { weight, bias, eps: EPS };
          return add(tape, layerNorm(tape, x, options), layerNorm(tape, x, options));
        },
        reference: (at) => layerNormReference(at, EPS).map((y) => 2 * y),
        weights: { weight: "f32", bias: "f32" },
        tolerance: F16_SUM_TOLERANCE,
      }),
  );

  test(`layerNorm() ${variant} reaches rows beyond 65 535 workgroups`, async () => {
    const inputs = inputsOf(65_537 * (variant === "flat" ? 8 : 1), 2);
    const { y } = await runOp(gpu, variant, {
      inputs,
      op: (tape, { x, weight, bias }) => layerNorm(tape, x, { weight, bias, eps: EPS }),
    });
    // Two values of a row may be as near as the square root of eps, which magnifies their rounding.
    const expected = layerNormReference(toFloat64(inputs), EPS);
    assertClose(y, expected, { what: "y", rtol: 1e-4, atol: 1e-4 });
  });

  test(`layerNorm() ${variant} of a zero row is the bias, and its gradient finite`, async () => {
    const inputs = { ...inputsOf(2, 4), x: { shape: [2, 4], values: new Float32Array(8) } };
    const { y, gradients } = await runOp(gpu, variant, {
      inputs,
      dy: uniform(8, 3),
      op: (tape, { x, weight, bias }) => layerNorm(tape, x, { weight, bias }),
    });
    const bias = inputs.bias.values;
    assertClose(y, [...bias, ...bias], { what: "y", rtol: 0, atol: 0 });
    assert.ok(gradients.x.every(Number.isFinite));
  });

  test(`layerNorm() ${variant} of a row far from zero keeps its digits`, async () => {
    const inputs = inputsOf(1, 100);
    inputs.x.values = inputs.x.values.map((value) => 1000 + value);
    const { y } = await runOp(gpu, variant, {
      inputs,
      op: (tape, { x, weight, bias }) => layerNorm(tape, x, { weight, bias, eps: EPS }),
    });
    // The mean of values near 1000 rounds at 3e-5, and a little more as it is summed.
    const expected = layerNormReference(toFloat64(inputs), EPS);
    assertClose(y, expected, { what: "y", rtol: 0, atol: 5e-4 });
  });
}

test("layerNorm() without a bias stores the first gradient of an activation and adds the second", () => {
  const { x, weight } = inputsOf(3, 5);
  return checkOp(gpu, "flat", {
    inputs: { x, weight },
    op: (tape, t) => {
      const h = add(tape, t.x, t.x);
      const options = { weight: t.weight, eps: EPS };
      return add(tape, layerNorm(tape, h, options), layerNorm(tape, h, options));
    },
    reference: (at) =>
      layerNormReference({ ...at, x: at.x.map((value) => 2 * value) }, EPS).map((y) => 2 * y),
    tolerance: TOLERANCE,
  });
});

test("layerNorm() throws when weight or bias does not fit the last axis", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const tensor = (shape: number[]) => tape.activation(shape, { label: "t" });
  assert.throws(() => layerNorm(tape, tensor([2, 4]), { weight: tensor([3]) }), {
    name: "RangeError",
    message: "Cannot apply layerNorm() to x [2, 4] f32: weight must be [4] f32, got [3] f32",
  });
  const options = { weight: tensor([4]), bias: tensor([5]) };
  assert.throws(() => layerNorm(tape, tensor([2, 4]), options), {
    name: "RangeError",
    message: "Cannot apply layerNorm() to x [2, 4] f32: bias must be [4] f32, got [5] f32",
  });
  const halves = tape.activation([4], { label: "t", dtype: "f16" });
  assert.throws(() => layerNorm(tape, tensor([2, 4]), { weight: halves }), {
    name: "TypeError",
    message: "Cannot apply layerNorm() to x [2, 4] f32: weight must be [4] f32, got [4] f16",
  });
});
