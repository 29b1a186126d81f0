import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { linearCrossEntropy, tilesOf } from "../../engine/ops/linear_cross_entropy.ts";
import { Tape } from "../../engine/tape.ts";
import { crossEntropyReference } from "../reference/cross_entropy.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkOp } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Sums of up to 200 exponentials and logarithms, each within a few ulps of f32.
const TOLERANCE = { rtol: 5e-6, atol: 5e-6 };

// [rows, dModel, vocabulary, tile]: one of each; ragged; exactly one tile; several, the last ragged.
const SHAPES = [
  [1, 1, 1, 64],
  [5, 3, 7, 64],
  [4, 8, 64, 64],
  [9, 16, 200, 64],
  [9, 16, 200, 256],
] as const;

function makeInputs(numRows: number, dModel: number, vocabSize: number) {
  const targets = Uint32Array.from({ length: numRows }, (_, m) => (m * 37) % vocabSize);
  if (numRows > 2) targets[2] = 0xffff_ffff; // ignored
  return {
    x: { shape: [numRows, dModel], values: uniform(numRows * dModel, 1) },
    weight: { shape: [vocabSize, dModel], values: uniform(vocabSize * dModel, 2) },
    targets: { shape: [numRows], values: targets },
    weights: { shape: [numRows], values: uniform(numRows, 3) },
  };
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const [numRows, dModel, vocabSize, tileSize] of SHAPES) {
    const inputs = makeInputs(numRows, dModel, vocabSize);
    const name = `linearCrossEntropy() ${variant} of [${numRows}, ${dModel}] over ${vocabSize} in tiles of ${tileSize}`;

    test(`${name} matches float64, forward and backward`, async () => {
      // The gradient with respect to the loss weights does not exist: they are constants.
      const { weights, ...differentiable } = inputs;
      const constant = gpu.tensor(weights.shape, { label: "weights", values: weights.values });
      await checkOp(gpu, variant, {
        inputs: differentiable,
        op: (tape, t) => linearCrossEntropy(tape, { ...t, weights: constant }, { tileSize }).loss,
        reference: ({ x, weight, targets }) =>
          Float64Array.of(
            crossEntropyReference({ x, weight, dModel, targets, weights: weights.values }).loss,
          ),
        tolerance: TOLERANCE,
      });
    });

    test(`${name} gives every target's log-probability`, async () => {
      const { y } = await runOp(gpu, variant, {
        inputs,
        op: (tape, t) => linearCrossEntropy(tape, t, { tileSize }).logProbabilities,
      });
      const { logProbabilities } = crossEntropyReference({
        x: Float64Array.from(inputs.x.values),
        weight: Float64Array.from(inputs.weight.values),
        dModel,
        targets: inputs.targets.values,
        weights: inputs.weights.values,
      });
      assertClose(y, logProbabilities, { what: "log-probability", ...TOLERANCE });
    });
  }
}

test("linearCrossEntropy() survives logits far apart", async () => {
  const { y } = await runOp(gpu, "flat", {
    inputs: {
      x: { shape: [2, 1], values: new Float32Array([1000, -1000]) },
      weight: { shape: [2, 1], values: new Float32Array([1, 0]) },
      targets: { shape: [2], values: new Uint32Array([0, 0]) },
      weights: { shape: [2], values: new Float32Array([1, 1]) },
    },
    op: (tape, t) => linearCrossEntropy(tape, t).logProbabilities,
  });
  assertClose(y, [0, -1000], { what: "log-probability", rtol: 0, atol: 0 });
});

test("linearCrossEntropy() throws when the targets do not fit", async () => {
  const inputs = { ...makeInputs(4, 2, 8), targets: { shape: [3], values: new Uint32Array(3) } };
  await assert.rejects(
    runOp(gpu, "flat", { inputs, op: (tape, t) => linearCrossEntropy(tape, t).loss }),
    { name: "RangeError", message: /shapes must fit.*targets \[3\] u32/ },
  );
});

test("linearCrossEntropy() throws when a dtype does not fit, which no device would notice", async () => {
  const inputs = makeInputs(4, 2, 8);
  const floats = { ...inputs, targets: { shape: [4], values: uniform(4, 1) } };
  const loss = (given: typeof inputs | typeof floats) =>
    runOp(gpu, "flat", { inputs: given, op: (tape, t) => linearCrossEntropy(tape, t).loss });
  await assert.rejects(loss(floats), {
    name: "TypeError",
    message: "Cannot apply linearCrossEntropy(): targets must be u32, got [4] f32",
  });
});

test("tilesOf() begins tiles where the weight can be bound, and names what cannot be", () => {
  const tiled = (numRows: number, dtype: "f32" | "bf16", maxBindingBytes = Infinity) => {
    const tape = new Tape({ variant: "flat", subgroupSize: 0, maxBindingBytes });
    const x = tape.activation([numRows, 33], { label: "x" });
    const weight = tape.activation([300, 33], { label: "weight", dtype });
    return tilesOf(tape, { x, weight }, 64).map(({ begin, end }) => [begin, end]);
  };
  const narrow = [0, 64, 128, 192, 256].map((begin) => [begin, Math.min(begin + 64, 300)]);
  assert.deepEqual(tiled(20, "f32"), narrow);
  const wide = [0, 128, 256].map((begin) => [begin, Math.min(begin + 128, 300)]);
  assert.deepEqual(tiled(20, "bf16"), wide, "64 rows of 66 bytes end within 256");
  assert.deepEqual(tiled(17, "bf16", 9000), wide);
  assert.throws(() => tiled(20, "bf16", 9000), {
    name: "RangeError",
    message:
      'Cannot tile the vocabulary of "weight" [300, 33] bf16: this device must bind the logits of 128 entries at once, 10240 bytes, got a limit of 9000; use a smaller batch',
  });
});

/** Two classes with logits ±x, and rows beyond one dimension of workgroups. */
function manyRows() {
  const numRows = 65_600;
  const x = uniform(numRows, 1);
  const targets = Uint32Array.from({ length: numRows }, (_, m) => m % 2);
  const signs = Float64Array.from(targets, (target) => (target === 0 ? 1 : -1));
  return {
    inputs: {
      x: { shape: [numRows, 1], values: x },
      weight: { shape: [2, 1], values: new Float32Array([1, -1]) },
      targets: { shape: [numRows], values: targets },
      weights: { shape: [numRows], values: new Float32Array(numRows).fill(1) },
    },
    logProbabilities: signs.map((sign, m) => -Math.log1p(Math.exp(-2 * sign * x[m]!))),
    dx: signs.map((sign, m) => -2 * sign * (1 - 1 / (1 + Math.exp(-2 * sign * x[m]!)))),
  };
}

// A workgroup a row: of the gradient in both variants, of the forward pass in the tiled one.
test("linearCrossEntropy() flat differentiates rows beyond 65 535 workgroups", async () => {
  const { inputs, dx } = manyRows();
  const { gradients } = await runOp(gpu, "flat", {
    inputs,
    dy: new Float32Array([1]),
    op: (tape, t) => linearCrossEntropy(tape, t).loss,
  });
  assertClose(gradients.x, dx, { what: "dx", ...TOLERANCE });
});

test("linearCrossEntropy() tiled reaches rows beyond 65 535 workgroups", async () => {
  const { inputs, logProbabilities } = manyRows();
  const { y } = await runOp(gpu, "tiled", {
    inputs,
    op: (tape, t) => linearCrossEntropy(tape, t).logProbabilities,
  });
  assertClose(y, logProbabilities, { what: "log-probability", ...TOLERANCE });
});
