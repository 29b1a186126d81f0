import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { linear } from "../../engine/ops/linear.ts";
import { Plan } from "../../engine/plan.ts";
import { activationReference } from "../reference/activation.ts";
import { linearReference } from "../reference/linear.ts";
import { matmulReference } from "../reference/matmul.ts";
import { dot } from "../gradient.ts";
import { Tape } from "../../engine/tape.ts";
import type { DType } from "../../engine/tensor.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkGradient, checkOp } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
/** A weight of [32, 16] is taken in halves; ten rows of the result are bound at once. */
const limited = await openGpu({ maxBindingBytes: 1280 });
after(() => [gpu, limited].forEach((each) => each.destroy()));

// Dot products of up to 300 terms in [-1, 1): f32 rounds each partial sum, of size up to 20.
const TOLERANCE = { rtol: 2e-6, atol: 2e-5 };

// [rows, dIn, dOut]: one element; ragged and odd; one flat tile (16 x 64); one GPU tile; several.
const SHAPES = [
  [1, 1, 1],
  [3, 5, 7],
  [16, 8, 64],
  [64, 16, 64],
  [65, 33, 130],
  [1, 300, 9],
] as const;

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const [numRows, dIn, dOut] of SHAPES) {
    const x = uniform(numRows * dIn, 1);
    const weight = uniform(dOut * dIn, 2);
    const bias = uniform(dOut, 3);
    const dy = uniform(numRows * dOut, 4);
    const at = {
      x: Float64Array.from(x),
      weight: Float64Array.from(weight),
      bias: Float64Array.from(bias),
    };

    test(`linear() ${variant} of [${numRows}, ${dIn}] to ${dOut} matches float64, forward and backward`, async () => {
      const { y, gradients } = await runOp(gpu, variant, {
        inputs: {
          x: { shape: [numRows, dIn], values: x },
          weight: { shape: [dOut, dIn], values: weight },
          bias: { shape: [dOut], values: bias },
        },
        dy,
        op: (tape, t) => linear(tape, t.x, t.weight, t.bias),
      });
      assertClose(y, linearReference(at), { what: "y", ...TOLERANCE });
      for (const name of ["x", "weight", "bias"] as const) {
        const loss = (value: Float64Array) => dot(linearReference({ ...at, [name]: value }), dy);
        checkGradient(gradients[name], loss, {
          at: at[name],
          what: `d${name}`,
          tolerance: TOLERANCE,
        });
      }
    });
  }

  test(`linear() ${variant} reaches outputs beyond 65 535 workgroups`, async () => {
    // 66,000 rows of tiles: 66,000 x 16 rows in the flat variant, 64 in the tiled one.
    const numRows = variant === "flat" ? 66_000 * 16 : 66_000 * 64;
    const x = uniform(numRows, 5);
    const { y } = await runOp(gpu, variant, {
      inputs: {
        x: { shape: [numRows, 1], values: x },
        weight: { shape: [1, 1], values: new Float32Array([0.5]) },
      },
      op: (tape, t) => linear(tape, t.x, t.weight),
    });
    assertClose(
      y.subarray(-1000),
      x.subarray(-1000).map((value) => value / 2),
      { what: "y", rtol: 0, atol: 0 },
    );
  });
}

// Few rows, which a kernel without epilogue takes; rows of a fused one; halves of the weight at a time.
for (const [numRows, on] of [
  [3, gpu],
  [10, gpu],
  [10, limited],
] as const) {
  for (const name of [undefined, "silu"] as const) {
    const what = `${name ?? "no"} activation of ${numRows} rows${on === limited ? " in parts" : ""}`;
    test(`linear() with scale, residual and ${what} matches float64, forward and backward`, () => {
      const f = name === undefined ? (value: number) => value : activationReference[name];
      return checkOp(on, "flat", {
        inputs: {
          x: { shape: [numRows, 16], values: uniform(numRows * 16, 1) },
          weight: { shape: [32, 16], values: uniform(512, 2) },
          bias: { shape: [32], values: uniform(32, 3) },
          residual: { shape: [numRows, 32], values: uniform(numRows * 32, 4) },
        },
        op: (tape, { x, weight, bias, residual }) =>
          linear(tape, x, weight, { bias, residual, scale: -1.5, activation: name }),
        reference: ({ x, weight, bias, residual }) =>
          linearReference({ x, weight: weight.map((value) => -1.5 * value), bias }).map(
            (value, i) => f(value) + residual[i]!,
          ),
        tolerance: TOLERANCE,
      });
    });
  }
}

test("linear() applies an activation where nothing is trained", async () => {
  const tape = new Tape(gpu);
  const tensor = (shape: number[], seed: number) =>
    gpu.tensor(shape, { label: "t", values: uniform(shape[0]! * shape[1]!, seed) });
  const [x, weight, residual] = [tensor([10, 8], 1), tensor([16, 8], 2), tensor([10, 16], 4)];
  const y = linear(tape, x, weight, { residual, activation: "gelu" });
  const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
  assert.equal(plan.dispatches.length, 1, "all of it is one kernel");
  plan.run();
  const [actual] = await plan.read(y);
  plan.destroy();
  const at = { x: uniform(80, 1), weight: uniform(128, 2) };
  const sizes = { numBatches: 1, numRows: 10, numColumns: 16, depth: 8 };
  const expected = matmulReference("nt", { a: at.x, b: at.weight }, sizes).map(
    (value, i) => activationReference.gelu(value) + uniform(160, 4)[i]!,
  );
  assertClose(actual!, expected, { what: "y", ...TOLERANCE });
});

test("linear() refuses a residual that is not shaped as its result", () => {
  const tape = new Tape(gpu);
  const tensor = (shape: number[]) => tape.activation(shape, { label: "t" });
  assert.throws(() => linear(tape, tensor([2, 4]), tensor([3, 4]), { residual: tensor([3, 2]) }), {
    name: "RangeError",
    message:
      "Cannot apply linear() with weight [3, 4] f32: residual must be [2, 3] f32, got [3, 2] f32",
  });
});

test("linear() adds to a gradient that is already there", async () => {
  const inputs = {
    x: { shape: [2, 3], values: uniform(6, 1) },
    weight: { shape: [3, 3], values: uniform(9, 2) },
  };
  const dy = uniform(6, 3);
  const once = await runOp(gpu, "flat", {
    inputs,
    dy,
    op: (tape, t) => linear(tape, t.x, t.weight),
  });
  const twice = await runOp(gpu, "flat", {
    inputs,
    dy,
    op: (tape, t) => linear(tape, t.x, t.weight),
    runs: 2,
  });
  for (const name of ["x", "weight"] as const) {
    const expected = once.gradients[name].map((value) => 2 * value);
    assertClose(twice.gradients[name], expected, { what: `d${name}`, rtol: 1e-6, atol: 1e-6 });
  }
});

test("linear() throws when the weight or the bias does not fit", () => {
  const tape = new Tape(gpu);
  const tensor = (shape: number[], dtype: DType = "f32") =>
    tape.activation(shape, { label: "t", dtype });
  const x = tensor([2, 4]);
  const weight = tensor([3, 4]);
  for (const [weightOf, bias, name, message] of [
    [tensor([3, 5]), undefined, "RangeError", "weight must be [dOut, 4], got [3, 5] f32"],
    [tensor([4]), undefined, "RangeError", "weight must be [dOut, 4], got [4] f32"],
    [
      tensor([3, 4], "u32"),
      undefined,
      "TypeError",
      "weight must be f32, f16, bf16, int8 or int4, got [3, 4] u32",
    ],
    [weight, tensor([3], "f16"), "TypeError", "bias must be f32, got [3] f16"],
  ] as const) {
    assert.throws(() => linear(tape, x, weightOf, bias), {
      name,
      message: `Cannot apply linear() to x [2, 4] f32: ${message}`,
    });
  }
  assert.throws(() => linear(tape, x, weight, tensor([4])), {
    name: "RangeError",
    message: "Cannot apply linear() with weight [3, 4] f32: bias must be [3], got [4] f32",
  });
  const halves = tensor([2, 4], "f16");
  assert.throws(() => linear(tape, halves, weight, tensor([3], "u32")), {
    name: "TypeError",
    message: "Cannot apply linear() to x [2, 4] f16: bias must be f32 or f16, got [3] u32",
  });
  assert.throws(() => linear(tape, tensor([2, 4], "u32"), weight), { name: "TypeError" });
});
