import assert from "node:assert/strict";
import { after, test } from "node:test";
import { add } from "../../engine/ops/add.ts";
import { rotary, type RotaryLayout, rotaryTable } from "../../engine/ops/rotary.ts";
import { Tape } from "../../engine/tape.ts";
import { rotaryReference } from "../reference/rotary.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkFloat16, checkOp, F16_SUM_TOLERANCE, withoutFloat16 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Two products of values below 1, each rounded at 6e-8, with a cosine rounded as much.
const TOLERANCE = { rtol: 1e-6, atol: 1e-6 };
const THETA = 10_000;
const MAX_SEQ_LEN = 2048;

function angles(headDim: number, positions: Uint32Array<ArrayBuffer>) {
  const options = { label: "table", values: rotaryTable({ headDim, maxSeqLen: MAX_SEQ_LEN }) };
  return {
    table: gpu.tensor([MAX_SEQ_LEN, headDim], options),
    positions: gpu.tensor([positions.length], {
      label: "positions",
      dtype: "u32",
      values: positions,
    }),
  };
}

for (const layout of ["half", "interleaved"] satisfies RotaryLayout[]) {
  // The smallest; several heads and odd tokens; a workgroup exactly; ragged and large.
  for (const [numTokens, numHeads, headDim] of [
    [1, 1, 2],
    [5, 3, 6],
    [2, 2, 32],
    [7, 3, 18],
  ] as const) {
    // Positions begin anew, as in packed rows, and reach the end of the table.
    const positions = Uint32Array.from({ length: numTokens }, (_, t) =>
      t === 3 ? MAX_SEQ_LEN - 1 : t % 4,
    );
    const shape = [numTokens, numHeads * headDim];
    const x = { shape, values: uniform(numTokens * numHeads * headDim, 1) };

    test(`rotary() ${layout} of ${numTokens} tokens, ${numHeads} heads of ${headDim} matches float64, forward and backward`, () =>
      checkOp(gpu, "flat", {
        inputs: { x },
        op: (tape, t) => rotary(tape, t.x, angles(headDim, positions), { headDim, layout }),
        reference: (at) => rotaryReference(at.x, { positions, headDim, theta: THETA, layout }),
        tolerance: TOLERANCE,
      }));
  }

  test(`rotary() ${layout} stores the first gradient of an activation and adds the second`, () => {
    const positions = new Uint32Array([1, 7]);
    return checkOp(gpu, "flat", {
      inputs: { x: { shape: [2, 4], values: uniform(8, 1) } },
      op: (tape, t) => {
        const h = add(tape, t.x, t.x);
        const at = angles(4, positions);
        const options = { headDim: 4, layout };
        return add(tape, rotary(tape, h, at, options), rotary(tape, h, at, options));
      },
      reference: ({ x }) =>
        rotaryReference(
          x.map((value) => 4 * value),
          { positions, headDim: 4, theta: THETA, layout },
        ),
      tolerance: TOLERANCE,
    });
  });

  test(
    `rotary() ${layout} computes in f32 what is stored as f16`,
    { skip: withoutFloat16(gpu) },
    () => {
      const positions = new Uint32Array([5, 900]);
      return checkFloat16(gpu, "flat", {
        inputs: { x: { shape: [2, 8], values: uniform(16, 1) } },
        op: (tape, t) => rotary(tape, t.x, angles(8, positions), { headDim: 8, layout }),
        reference: ({ x }) => rotaryReference(x, { positions, headDim: 8, theta: THETA, layout }),
      });
    },
  );
}

test(
  "rotary() adds a second gradient of halves to the first",
  { skip: withoutFloat16(gpu) },
  () => {
    const positions = new Uint32Array([5, 900]);
    const layout = "half";
    return checkFloat16(gpu, "flat", {
      inputs: { x: { shape: [2, 8], values: uniform(16, 1) } },
      op: (tape, t) => {
        const rotate = () => rotary(tape, t.x, angles(8, positions), { headDim: 8, layout });
        return add(tape, rotate(), rotate());
      },
      reference: ({ x }) =>
        rotaryReference(x, { positions, headDim: 8, theta: THETA, layout }).map((y) => 2 * y),
      tolerance: F16_SUM_TOLERANCE,
    });
  },
);

test("rotary() reaches pairs beyond 65 535 workgroups, and never reads beyond its table", async () => {
  const numTokens = 65_537 * 64;
  const positions = new Uint32Array(numTokens).fill(3);
  positions[numTokens - 1] = 0xffff_ffff;
  const x = uniform(2 * numTokens, 1);
  const { y } = await runOp(gpu, "tiled", {
    inputs: { x: { shape: [numTokens, 2], values: x } },
    op: (tape, t) => rotary(tape, t.x, angles(2, positions), { headDim: 2, layout: "half" }),
  });
  const expected = rotaryReference(Float64Array.from(x.subarray(-100)), {
    positions: [...Array.from({ length: 49 }, () => 3), MAX_SEQ_LEN - 1],
    headDim: 2,
    theta: THETA,
    layout: "half",
  });
  assertClose(y.subarray(-100), expected, { what: "y", ...TOLERANCE });
});

test("rotaryTable() holds a cosine and a sine of one angle: every pair keeps its length", () => {
  const table = rotaryTable({ headDim: 8, maxSeqLen: 50, theta: 500 });
  for (let position = 0; position < 50; position++) {
    for (let i = 0; i < 4; i++) {
      const length = Math.hypot(table[position * 8 + i]!, table[position * 8 + 4 + i]!);
      assert.ok(Math.abs(length - 1) < 1e-7);
    }
  }
});

test("rotary() throws when shapes or dtypes do not fit", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const x = tape.activation([2, 12], { label: "x" });
  const at = angles(4, new Uint32Array(2));
  const layout = "half";
  assert.throws(() => rotary(tape, x, at, { headDim: 5, layout }), {
    name: "RangeError",
    message: "Cannot rotate pairs: headDim must be even and positive, got 5",
  });
  assert.throws(() => rotary(tape, x, at, { headDim: 8, layout }), {
    name: "RangeError",
    message:
      "Cannot apply rotary() to x [2, 12] f32: its last axis must be a multiple of headDim 8, got 12",
  });
  assert.throws(() => rotary(tape, x, at, { headDim: 6, layout }), {
    name: "RangeError",
    message: "Cannot apply rotary(): table must be [maxSeqLen, 6], got [2048, 4] f32",
  });
  const three = angles(4, new Uint32Array(3));
  assert.throws(() => rotary(tape, x, three, { headDim: 4, layout }), {
    name: "RangeError",
    message: "Cannot apply rotary() to x [2, 12] f32: positions must be [2], got [3] u32",
  });
  const floats = { ...at, positions: tape.activation([2], { label: "positions" }) };
  assert.throws(() => rotary(tape, x, floats, { headDim: 4, layout }), {
    name: "TypeError",
    message: "Cannot apply rotary(): table must be f32 and positions u32, got f32 and f32",
  });
});
