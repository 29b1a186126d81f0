import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { pairLogProbabilities } from "../../engine/ops/pair_log_probabilities.ts";
import { crossEntropyReference } from "../reference/cross_entropy.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Sums of up to 200 exponentials and logarithms, each within a few ulps of f32.
const TOLERANCE = { rtol: 5e-6, atol: 5e-6 };

// [rows, dModel, vocabulary, pairs]: one of each; ragged; one workgroup of pairs; several.
const SHAPES = [
  [1, 1, 1, 1],
  [5, 3, 7, 11],
  [4, 8, 64, 32],
  [9, 16, 200, 100],
] as const;

function makeInputs(numRows: number, dModel: number, vocabSize: number, numPairs: number) {
  const u32 = (value: (j: number) => number) => ({
    shape: [numPairs],
    values: Uint32Array.from({ length: numPairs }, (_, j) => value(j)),
  });
  return {
    x: { shape: [numRows, dModel], values: uniform(numRows * dModel, 1) },
    weight: { shape: [vocabSize, dModel], values: uniform(vocabSize * dModel, 2) },
    rows: u32((j) => (j * 7) % numRows),
    tokens: u32((j) => (j * 37) % vocabSize),
  };
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const [numRows, dModel, vocabSize, numPairs] of SHAPES) {
    const inputs = makeInputs(numRows, dModel, vocabSize, numPairs);

    test(`pairLogProbabilities() ${variant} of ${numPairs} pairs of [${numRows}, ${dModel}] over ${vocabSize} matches float64`, async () => {
      const { y } = await runOp(gpu, variant, {
        inputs,
        op: (tape, t) => pairLogProbabilities(tape, t),
      });
      // The reference gives one target a row: ask it once a pair, for the row of that pair.
      const rows = Array.from(inputs.rows.values, (row) => [
        ...inputs.x.values.subarray(row * dModel, (row + 1) * dModel),
      ]);
      const { logProbabilities } = crossEntropyReference({
        x: Float64Array.from(rows.flat()),
        weight: Float64Array.from(inputs.weight.values),
        dModel,
        targets: inputs.tokens.values,
        weights: new Float32Array(numPairs),
      });
      assertClose(y, logProbabilities, { what: "log-probability", ...TOLERANCE });
    });
  }

  test(`pairLogProbabilities() ${variant} of each row's target are linearCrossEntropy()'s`, async () => {
    const { x, weight } = makeInputs(9, 16, 200, 1);
    const targets = {
      shape: [9],
      values: Uint32Array.from({ length: 9 }, (_, m) => (m * 53) % 200),
    };
    const rows = { shape: [9], values: Uint32Array.from({ length: 9 }, (_, m) => m) };
    const weights = { shape: [9], values: new Float32Array(9).fill(1) };
    const pairs = await runOp(gpu, variant, {
      inputs: { x, weight, rows, tokens: targets },
      op: (tape, t) => pairLogProbabilities(tape, t),
    });
    const loss = await runOp(gpu, variant, {
      inputs: { x, weight, targets, weights },
      op: (tape, t) => linearCrossEntropy(tape, t).logProbabilities,
    });
    assertClose(pairs.y, loss.y, { what: "log-probability", rtol: 1e-6, atol: 1e-6 });
  });
}

test("pairLogProbabilities() of all tokens of a row sum to one", async () => {
  const vocabSize = 150;
  const { x, weight } = makeInputs(3, 8, vocabSize, 1);
  const { y } = await runOp(gpu, "flat", {
    inputs: {
      x,
      weight,
      rows: { shape: [vocabSize], values: new Uint32Array(vocabSize).fill(2) },
      tokens: { shape: [vocabSize], values: Uint32Array.from({ length: vocabSize }, (_, v) => v) },
    },
    op: (tape, t) => pairLogProbabilities(tape, t),
  });
  assertClose([y.reduce((sum, value) => sum + Math.exp(value), 0)], [1], {
    what: "total probability",
    rtol: 1e-5,
    atol: 0,
  });
});

test("pairLogProbabilities() clamps padding beyond rows and vocabulary", async () => {
  const { x, weight } = makeInputs(3, 8, 10, 1);
  const pairs = (row: number, token: number) =>
    runOp(gpu, "flat", {
      inputs: {
        x,
        weight,
        rows: { shape: [1], values: Uint32Array.of(row) },
        tokens: { shape: [1], values: Uint32Array.of(token) },
      },
      op: (tape, t) => pairLogProbabilities(tape, t),
    });
  const beyond = await pairs(0xffff_ffff, 0xffff_ffff);
  const last = await pairs(2, 9);
  assert.deepEqual(beyond.y, last.y);
});

test("pairLogProbabilities() reaches pairs beyond 65 535 workgroups", async () => {
  const numPairs = 65_536 * 32 + 5;
  const { y } = await runOp(gpu, "flat", {
    inputs: {
      x: { shape: [1, 1], values: new Float32Array([1]) },
      weight: { shape: [2, 1], values: new Float32Array([0.5, -0.5]) },
      rows: { shape: [numPairs], values: new Uint32Array(numPairs) },
      tokens: {
        shape: [numPairs],
        values: Uint32Array.from({ length: numPairs }, (_, j) => j % 2),
      },
    },
    op: (tape, t) => pairLogProbabilities(tape, t),
  });
  const lse = Math.log(Math.exp(0.5) + Math.exp(-0.5));
  const expected = Float64Array.from({ length: 1000 }, (_, j) =>
    (numPairs - 1000 + j) % 2 === 0 ? 0.5 - lse : -0.5 - lse,
  );
  assertClose(y.subarray(-1000), expected, { what: "y", ...TOLERANCE });
});

test("pairLogProbabilities() throws when shapes or dtypes do not fit", async () => {
  const inputs = makeInputs(3, 4, 10, 2);
  const run = (given: typeof inputs) =>
    runOp(gpu, "flat", { inputs: given, op: (tape, t) => pairLogProbabilities(tape, t) });
  await assert.rejects(run({ ...inputs, weight: { shape: [10, 3], values: uniform(30, 1) } }), {
    name: "RangeError",
    message: /got weight \[10, 3\] f32/,
  });
  await assert.rejects(run({ ...inputs, tokens: { shape: [3], values: new Uint32Array(3) } }), {
    name: "RangeError",
    message: /rows \[2\] u32, tokens \[3\] u32/,
  });
});
