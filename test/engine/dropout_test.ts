import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { dropout, RANDOMNESS_LENGTH, randomnessOf } from "../../engine/ops/dropout.ts";
import { Tape } from "../../engine/tape.ts";
import { dropoutReference } from "../reference/dropout.ts";
import { philoxReference } from "../reference/philox.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkFloat16, checkOp, F16_SUM_TOLERANCE, withoutFloat16 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// One product of f32, with a scale rounded to f32.
const TOLERANCE = { rtol: 2e-7, atol: 1e-9 };
const RANDOMNESS = randomnessOf({ seed: 2 ** 40 + 5, step: 17, microBatch: 3 });

function randomnessTensor(values = RANDOMNESS) {
  return gpu.tensor([RANDOMNESS_LENGTH], { label: "randomness", dtype: "u32", values });
}

/** Which of 1000 elements stay, under one choice of randomness. */
async function maskOf(values: Uint32Array<ArrayBuffer>, id: number): Promise<string> {
  const { y } = await runOp(gpu, "flat", {
    inputs: { x: { shape: [1000], values: new Float32Array(1000).fill(1) } },
    op: (tape, t) => dropout(tape, t.x, { rate: 0.5, randomness: randomnessTensor(values), id }),
  });
  return y.map(Math.sign).join("");
}

test("Philox4x32-10 of the reference gives the known answers of Random123", () => {
  const hex = (counter: number[], key: number[]) =>
    philoxReference(counter, key).map((word) => word.toString(16).padStart(8, "0"));
  assert.deepEqual(hex([0, 0, 0, 0], [0, 0]), ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]);
  const ones = 0xffff_ffff;
  assert.deepEqual(hex([ones, ones, ones, ones], [ones, ones]), [
    "408f276d",
    "41c83b0e",
    "a20bc7c6",
    "6d5451fd",
  ]);
  assert.deepEqual(
    hex([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
    ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
  );
});

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // One element; part of a draw; a workgroup of 8 lanes exactly; several, ragged.
  for (const [length, rate] of [
    [1, 0.5],
    [7, 0.5],
    [32, 0.1],
    [1001, 0.9],
  ] as const) {
    test(`dropout() ${variant} of ${length} elements at ${rate} matches the reference, forward and backward`, () => {
      const factor = dropoutReference({ length, rate, randomness: RANDOMNESS, id: 9 });
      return checkOp(gpu, variant, {
        inputs: { x: { shape: [length], values: uniform(length, 1) } },
        op: (tape, t) => dropout(tape, t.x, { rate, randomness: randomnessTensor(), id: 9 }),
        reference: ({ x }) => x.map((value, i) => value * factor[i]!),
        tolerance: { ...TOLERANCE, atol: 1e-6 },
      });
    });
  }
}

test("dropout() zeroes the gradients of exactly the elements it zeroed", async () => {
  const ones = new Float32Array(999).fill(1);
  const { y, gradients } = await runOp(gpu, "flat", {
    inputs: { x: { shape: [999], values: ones } },
    op: (tape, t) => dropout(tape, t.x, { rate: 0.3, randomness: randomnessTensor(), id: 0 }),
    dy: ones,
  });
  assert.deepEqual(gradients.x, y);
});

test("dropout() stores the first gradient of an activation and adds the second", () => {
  const options = { rate: 0.25, randomness: RANDOMNESS, length: 21 };
  const first = dropoutReference({ ...options, id: 1 });
  const second = dropoutReference({ ...options, id: 2 });
  return checkOp(gpu, "flat", {
    inputs: { x: { shape: [21], values: uniform(21, 1) } },
    op: (tape, t) => {
      const h = add(tape, t.x, t.x);
      const randomness = randomnessTensor();
      return add(
        tape,
        dropout(tape, h, { rate: 0.25, randomness, id: 1 }),
        dropout(tape, h, { rate: 0.25, randomness, id: 2 }),
      );
    },
    reference: ({ x }) => x.map((value, i) => 2 * value * (first[i]! + second[i]!)),
    tolerance: { rtol: 1e-6, atol: 1e-6 },
  });
});

test("dropout() draws another mask for another seed, step, micro-batch or op, and the same again", async () => {
  const base = { seed: 1, step: 1, microBatch: 1 };
  const masks = [
    await maskOf(randomnessOf(base), 1),
    await maskOf(randomnessOf({ ...base, seed: 2 }), 1),
    await maskOf(randomnessOf({ ...base, seed: 1 + 2 ** 32 }), 1),
    await maskOf(randomnessOf({ ...base, step: 2 }), 1),
    await maskOf(randomnessOf({ ...base, microBatch: 2 }), 1),
    await maskOf(randomnessOf(base), 2),
  ];
  assert.equal(new Set(masks).size, masks.length);
  assert.equal(await maskOf(randomnessOf(base), 1), masks[0]);
});

test("dropout() keeps the mean and the last elements of many workgroups", async () => {
  const length = 1_000_001;
  const rate = 0.2;
  const { y } = await runOp(gpu, "flat", {
    inputs: { x: { shape: [length], values: new Float32Array(length).fill(1) } },
    op: (tape, t) => dropout(tape, t.x, { rate, randomness: randomnessTensor(), id: 4 }),
  });
  const mean = y.reduce((sum, value) => sum + value, 0) / length;
  // Five standard errors of a Bernoulli mean, each √(rate / (1 − rate) / length).
  assertClose([mean], [1], { what: "mean", rtol: 0, atol: 5 * Math.sqrt(0.25 / length) });
  const lastDraws = y.subarray(-32);
  assert.ok(lastDraws.every((value) => value === 0 || value === Math.fround(1.25)));
  assert.ok(lastDraws.some((value) => value !== 0));
});

test("dropout() computes in f32 what is stored as f16", { skip: withoutFloat16(gpu) }, () => {
  const factor = dropoutReference({ length: 33, rate: 0.5, randomness: RANDOMNESS, id: 1 });
  return checkFloat16(gpu, "flat", {
    inputs: { x: { shape: [33], values: uniform(33, 1) } },
    op: (tape, t) => dropout(tape, t.x, { rate: 0.5, randomness: randomnessTensor(), id: 1 }),
    reference: ({ x }) => x.map((value, i) => value * factor[i]!),
  });
});

test(
  "dropout() adds a second gradient of halves to the first",
  { skip: withoutFloat16(gpu) },
  () => {
    const options = { length: 33, rate: 0.25, randomness: RANDOMNESS };
    const first = dropoutReference({ ...options, id: 1 });
    const second = dropoutReference({ ...options, id: 2 });
    return checkFloat16(gpu, "flat", {
      inputs: { x: { shape: [33], values: uniform(33, 1) } },
      op: (tape, t) => {
        const randomness = randomnessTensor();
        const drop = (id: number) => dropout(tape, t.x, { rate: 0.25, randomness, id });
        return add(tape, drop(1), drop(2));
      },
      reference: ({ x }) => x.map((value, i) => value * (first[i]! + second[i]!)),
      tolerance: F16_SUM_TOLERANCE,
    });
  },
);

test("dropout() at rate 0 records nothing, and refuses rates beyond", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const x = tape.activation([4], { label: "x" });
  const randomness = randomnessTensor();
  assert.equal(dropout(tape, x, { rate: 0, randomness, id: 0 }), x);
  assert.equal(tape.dispatches.length, 0);
  assert.throws(() => dropout(tape, x, { rate: 1, randomness, id: 0 }), {
    name: "RangeError",
    message: "Cannot apply dropout(): the rate must lie in [0, 1), got 1",
  });
  assert.throws(() => dropout(tape, x, { rate: 0.5, randomness: x, id: 0 }), {
    name: "RangeError",
    message: "Cannot apply dropout(): randomness must be [4] u32, got [4] f32",
  });
  assert.throws(() => randomnessOf({ seed: -1, step: 0 }), {
    name: "RangeError",
    message: "Cannot seed random numbers: the seed must be an integer in [0, 2^53), got -1",
  });
});
