import assert from "node:assert/strict";
import { after, test } from "node:test";
import { activation, type Activation } from "../../engine/ops/activation.ts";
import { add } from "../../engine/ops/add.ts";
import { swiGlu } from "../../engine/ops/swi_glu.ts";
import { Tape } from "../../engine/tape.ts";
import { activationReference, swiGluReference } from "../reference/activation.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkFloat16, checkOp, F16_SUM_TOLERANCE, withoutFloat16 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// WGSL lets exp(x) err by (3 + 2|x|) units in the last place, and a quotient by 2.5.
const TOLERANCE = { rtol: 2e-6, atol: 2e-6 };

const ACTIVATIONS = ["silu", "gelu", "geluTanh"] as const satisfies Activation[];

/** Values in [-8, 8), where every function bends. */
const wide = (length: number, seed: number) => uniform(length, seed).map((value) => 8 * value);

for (const name of ACTIVATIONS) {
  const f = (x: Float64Array) => x.map(activationReference[name]);

  // One element; odd; a workgroup of 8 lanes x 64 elements exactly; several, ragged.
  for (const shape of [[1], [3, 5], [512], [3, 347]]) {
    test(`activation() ${name} of [${shape.join(", ")}] matches float64, forward and backward`, () =>
      checkOp(gpu, "flat", {
        inputs: {
          x: {
            shape,
            values: wide(
              shape.reduce((a, b) => a * b),
              1,
            ),
          },
        },
        op: (tape, t) => activation(tape, t.x, name),
        reference: ({ x }) => f(x),
        tolerance: TOLERANCE,
      }));
  }

  test(`activation() ${name} stores the first gradient of an activation and adds the second`, () =>
    checkOp(gpu, "flat", {
      inputs: { x: { shape: [7], values: uniform(7, 1) } },
      op: (tape, t) => {
        const h = add(tape, t.x, t.x);
        return add(tape, activation(tape, h, name), activation(tape, h, name));
      },
      reference: ({ x }) => f(x.map((value) => 2 * value)).map((value) => 2 * value),
      tolerance: TOLERANCE,
    }));

  test(
    `activation() ${name} computes in f32 what is stored as f16`,
    { skip: withoutFloat16(gpu) },
    () =>
      checkFloat16(gpu, "flat", {
        inputs: { x: { shape: [33], values: uniform(33, 1) } },
        op: (tape, t) => activation(tape, t.x, name),
        reference: ({ x }) => f(x),
      }),
  );

  test(
    `activation() ${name} adds a second gradient of halves to the first`,
    { skip: withoutFloat16(gpu) },
    () =>
      checkFloat16(gpu, "flat", {
        inputs: { x: { shape: [33], values: uniform(33, 1) } },
        op: (tape, t) => add(tape, activation(tape, t.x, name), activation(tape, t.x, name)),
        reference: ({ x }) => f(x).map((value) => 2 * value),
        tolerance: F16_SUM_TOLERANCE,
      }),
  );

  test(`activation() ${name} of huge inputs is 0 or x, with a slope of 0 or 1`, async () => {
    const x = new Float32Array([-3e38, -1e20, -1000, -100, 0, 100, 1000, 1e20, 3e38]);
    const { y, gradients } = await runOp(gpu, "flat", {
      inputs: { x: { shape: [9], values: x } },
      op: (tape, t) => activation(tape, t.x, name),
      dy: new Float32Array(9).fill(1),
    });
    const relu = x.map((value) => Math.max(0, value));
    assertClose(y, relu, { what: "y", rtol: 1e-6, atol: 1e-6 });
    assertClose(gradients.x, [0, 0, 0, 0, 0.5, 1, 1, 1, 1], { what: "dx", rtol: 1e-6, atol: 1e-6 });
  });
}

// A mask, or a max() that prefers numbers, would let a broken model train on.
for (const name of ["silu", "gelu", "geluTanh"] satisfies Activation[]) {
  test(`activation() ${name} of NaN is NaN`, async () => {
    const { y } = await runOp(gpu, "flat", {
      inputs: { x: { shape: [2], values: new Float32Array([NaN, 1]) } },
      op: (tape, t) => activation(tape, t.x, name),
    });
    assert.deepEqual(Array.from(y, Number.isNaN), [true, false]);
  });
}

test("swiGlu() of a NaN in gate or up is NaN", async () => {
  const { y } = await runOp(gpu, "flat", {
    inputs: {
      gate: { shape: [3], values: new Float32Array([NaN, 1, 1]) },
      up: { shape: [3], values: new Float32Array([1, NaN, 1]) },
    },
    op: (tape, t) => swiGlu(tape, t.gate, t.up),
  });
  assert.deepEqual(Array.from(y, Number.isNaN), [true, true, false]);
});

test("activation() gelu keeps the digits of its negative tail", async () => {
  const x = Float32Array.from({ length: 50 }, (_, i) => -i / 10);
  const { y } = await runOp(gpu, "flat", {
    inputs: { x: { shape: [50], values: x } },
    op: (tape, t) => activation(tape, t.x, "gelu"),
  });
  const expected = Float64Array.from(x, activationReference.gelu);
  assertClose(y, expected, { what: "y", rtol: 1e-5, atol: 1e-12 });
});

test("activation() reaches elements beyond 65 535 workgroups", async () => {
  const x = uniform(65_537 * 64, 1); // 64 elements a workgroup in this variant
  const { y } = await runOp(gpu, "tiled", {
    inputs: { x: { shape: [x.length], values: x } },
    op: (tape, t) => activation(tape, t.x, "silu"),
  });
  const expected = Float64Array.from(x.subarray(-1000), activationReference.silu);
  assertClose(y.subarray(-1000), expected, { what: "y", ...TOLERANCE });
});

for (const shape of [[1], [3, 5], [5, 77]]) {
  const length = shape.reduce((a, b) => a * b);
  test(`swiGlu() of [${shape.join(", ")}] matches float64, forward and backward`, () =>
    checkOp(gpu, "flat", {
      inputs: {
        gate: { shape, values: wide(length, 1) },
        up: { shape, values: uniform(length, 2) },
      },
      op: (tape, t) => swiGlu(tape, t.gate, t.up),
      reference: swiGluReference,
      tolerance: TOLERANCE,
    }));
}

test("swiGlu() of one tensor with itself adds both gradients", () =>
  checkOp(gpu, "flat", {
    inputs: { x: { shape: [9], values: wide(9, 1) } },
    op: (tape, t) => {
      const h = add(tape, t.x, t.x);
      return swiGlu(tape, h, h);
    },
    reference: ({ x }) => {
      const h = x.map((value) => 2 * value);
      return swiGluReference({ gate: h, up: h });
    },
    // Values reach 256, sums of two gradients 64.
    tolerance: { rtol: 4e-6, atol: 1e-5 },
  }));

test("swiGlu() computes in f32 what is stored as f16", { skip: withoutFloat16(gpu) }, () =>
  checkFloat16(gpu, "flat", {
    inputs: {
      gate: { shape: [33], values: uniform(33, 1) },
      up: { shape: [33], values: uniform(33, 2) },
    },
    op: (tape, t) => swiGlu(tape, t.gate, t.up),
    reference: swiGluReference,
  }),
);

test("swiGlu() of halves adds both gradients of one tensor", { skip: withoutFloat16(gpu) }, () =>
  checkFloat16(gpu, "flat", {
    inputs: { x: { shape: [33], values: uniform(33, 1) } },
    op: (tape, t) => swiGlu(tape, t.x, t.x),
    reference: ({ x }) => swiGluReference({ gate: x, up: x }),
    tolerance: F16_SUM_TOLERANCE,
  }),
);

test("add() of halves shares, copies and adds up gradients", { skip: withoutFloat16(gpu) }, () =>
  checkFloat16(gpu, "flat", {
    inputs: { x: { shape: [33], values: uniform(33, 1) } },
    op: (tape, { x }) => add(tape, add(tape, x, activation(tape, x, "silu")), x),
    reference: ({ x }) => x.map((value) => 2 * value + activationReference.silu(value)),
    tolerance: F16_SUM_TOLERANCE,
  }),
);

test("swiGlu() of huge gates is 0 or gate · up", async () => {
  const gate = new Float32Array([-3e38, -1000, 0, 1000, 3e37]);
  const ones = new Float32Array(5).fill(1);
  const { y, gradients } = await runOp(gpu, "flat", {
    inputs: { gate: { shape: [5], values: gate }, up: { shape: [5], values: ones } },
    op: (tape, t) => swiGlu(tape, t.gate, t.up),
    dy: ones,
  });
  const relu = [0, 0, 0, 1000, 3e37];
  assertClose(y, relu, { what: "y", rtol: 1e-6, atol: 1e-6 });
  assertClose(gradients.up, relu, { what: "dUp", rtol: 1e-6, atol: 1e-6 });
  assertClose(gradients.gate, [0, 0, 0.5, 1, 1], { what: "dGate", rtol: 1e-6, atol: 1e-6 });
});

test("swiGlu() throws when gate and up differ", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const tensor = (shape: number[]) => tape.activation(shape, { label: "x" });
  assert.throws(() => swiGlu(tape, tensor([2, 3]), tensor([2, 4])), {
    name: "RangeError",
    message: "Cannot apply swiGlu(): up must be [2, 3] f32 as gate is, got [2, 4] f32",
  });
});
