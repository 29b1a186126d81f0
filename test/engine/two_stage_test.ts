import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { twoStageDistribution, twoStageLoss } from "../../engine/ops/two_stage.ts";
import { add } from "../../engine/ops/add.ts";
import { Tape } from "../../engine/tape.ts";
import type { DType } from "../../engine/tensor.ts";
import { twoStageReference } from "../reference/two_stage.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkOp } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

const NONE = 0xffff_ffff;

// Sums of up to 336 exponentials and logarithms, each within a few ulps of f32.
const TOLERANCE = { rtol: 5e-6, atol: 5e-6 };

// [rows, occupations]: the least; odd; exactly the lanes of a workgroup; ragged; CAREER's.
const SHAPES = [
  [1, 2],
  [5, 3],
  [8, 63],
  [9, 64],
  [13, 129],
  [7, 335],
] as const;

/** Rows in turn: first, staying, moving, ignored with and without an occupation before. */
function makeInputs(numRows: number, numOccupations: number) {
  const length = numRows * (numOccupations + 1);
  const at = (m: number, by: number) => (m * by + 1) % numOccupations;
  const previous = Uint32Array.from({ length: numRows }, (_, m) => {
    if (m % 5 === 0) return m % 2 === 0 ? NONE : numOccupations; // either says: none
    return m === 4 ? NONE : at(m, 37);
  });
  const targets = Uint32Array.from({ length: numRows }, (_, m) => {
    if (m % 5 === 1) return previous[m]!;
    if (m % 5 >= 3 && m > 2) return m % 2 === 0 ? NONE : numOccupations;
    return (at(m, 37) + (m % 5 === 2 ? 1 : 0)) % numOccupations;
  });
  return {
    logits: { shape: [numRows, numOccupations + 1], values: uniform(length, 1).map((x) => 3 * x) },
    previous: { shape: [numRows], values: previous },
    targets: { shape: [numRows], values: targets },
    weights: { shape: [numRows], values: uniform(numRows, 3).map((x) => 1 + x / 2) },
  };
}

type Inputs = ReturnType<typeof makeInputs>;

function expectedOf({ logits, previous, targets, weights }: Inputs) {
  return twoStageReference({
    logits: Float64Array.from(logits.values),
    previous: previous.values,
    targets: targets.values,
    weights: weights.values,
  });
}

function column(statistics: Float32Array, which: number): Float32Array {
  return statistics.filter((_, i) => i % 4 === which);
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const [numRows, numOccupations] of SHAPES) {
    const inputs = makeInputs(numRows, numOccupations);
    const name = `twoStageLoss() ${variant} of ${numRows} rows over ${numOccupations} occupations`;

    test(`${name} matches float64, forward and backward`, async () => {
      // The gradient with respect to the loss weights does not exist: they are constants.
      const { weights, ...rest } = inputs;
      const constant = gpu.tensor(weights.shape, { label: "weights", values: weights.values });
      await checkOp(gpu, variant, {
        inputs: rest,
        op: (tape, t) => twoStageLoss(tape, { ...t, weights: constant }).loss,
        reference: (at) =>
          Float64Array.of(twoStageReference({ ...at, weights: weights.values }).loss),
        tolerance: TOLERANCE,
      });
    });

    test(`${name} gives scores of every row, whether ranks are asked for or not`, async () => {
      const expected = expectedOf(inputs);
      for (const rank of [true, false]) {
        const { y } = await runOp(gpu, variant, {
          inputs,
          op: (tape, t) => twoStageLoss(tape, t, { rank }).statistics,
        });
        const { logProbabilities, stay } = expected;
        assertClose(column(y, 1), logProbabilities, { what: "log P", ...TOLERANCE });
        assertClose(column(y, 2), stay, { what: "P(stay)", ...TOLERANCE });
        const counts = (m: number) => rank && inputs.targets.values[m]! < numOccupations;
        const ranks = Array.from(column(y, 3)).filter((_, m) => counts(m) || !rank);
        const wanted = Array.from(expected.rank).filter((_, m) => counts(m) || !rank);
        assert.deepEqual(ranks, rank ? wanted : wanted.map(() => 0));
      }
    });

    test(`${name} divides one into staying and moves, none of which leads to where one was`, async () => {
      const { y } = await runOp(gpu, variant, {
        inputs,
        op: (tape, t) => {
          const { statistics } = twoStageLoss(tape, t);
          return twoStageDistribution(tape, { ...t, statistics });
        },
      });
      const { probabilities, stay } = expectedOf(inputs);
      assertClose(y, probabilities, { what: "P", ...TOLERANCE });
      for (let m = 0; m < numRows; m++) {
        const row = y.subarray(m * numOccupations, (m + 1) * numOccupations);
        const sum = row.reduce((a, b) => a + b, 0);
        assertClose([sum], [1], { what: `sum of row ${m}`, rtol: 0, atol: 1e-5 });
        const before = inputs.previous.values[m]!;
        if (before < numOccupations) {
          assertClose([row[before]!], [stay[m]!], { what: "P(stay)", ...TOLERANCE });
        }
      }
    });
  }

  test(`twoStageLoss() ${variant} survives logits far apart`, async () => {
    // Stay logits ±1000; the logit of the job before far above all others, and far below.
    const rows = [
      { logits: [1e3, -1e3, 0, 1e3], previous: 0, target: 0, log: 0 },
      { logits: [1e3, -1e3, 0, 1e3], previous: 0, target: 2, log: -1e3 },
      { logits: [3e4, -1e3, 0, -1e3], previous: 0, target: 0, log: -1e3 },
      { logits: [3e4, -1e3, 0, -1e3], previous: 0, target: 1, log: -1e3 },
      { logits: [-3e4, 1, 1, -1e3], previous: 0, target: 1, log: -Math.LN2 },
      { logits: [1e3, -1e3, 0, 1e3], previous: NONE, target: 1, log: -2e3 },
    ];
    const inputs = {
      logits: { shape: [6, 4], values: Float32Array.from(rows.flatMap(({ logits }) => logits)) },
      previous: { shape: [6], values: Uint32Array.from(rows, ({ previous }) => previous) },
      targets: { shape: [6], values: Uint32Array.from(rows, ({ target }) => target) },
    };
    const weights = gpu.tensor([6], { label: "weights", values: new Float32Array(6).fill(1) });
    const { y } = await runOp(gpu, variant, {
      inputs,
      op: (tape, t) => twoStageLoss(tape, { ...t, weights }, { rank: true }).logProbabilities,
    });
    const expected = rows.map(({ log }) => log);
    assertClose(y, expected, { what: "log P", rtol: 1e-6, atol: 1e-6 });
    const { gradients } = await runOp(gpu, variant, {
      inputs,
      op: (tape, t) => twoStageLoss(tape, { ...t, weights }).loss,
      dy: Float32Array.of(1),
    });
    const moved = [0, 0, 0, 1];
    const half = [0, -0.5, 0.5, 0];
    assert.deepEqual(
      Array.from(gradients.logits),
      [[0, 0, 0, 0], moved, [0, 0, 0, -1], [0, -1, 1, 0], half, [1, -1, 0, 0]].flat(),
    );
  });

  test(`twoStageLoss() ${variant} reaches rows beyond 65 535 workgroups`, async () => {
    const inputs = makeInputs(65_537 * (variant === "flat" ? 8 : 1), 2);
    const { y } = await runOp(gpu, variant, {
      inputs,
      op: (tape, t) => twoStageLoss(tape, t).logProbabilities,
    });
    const { logProbabilities } = expectedOf(inputs);
    assertClose(y, logProbabilities, { what: "log P", ...TOLERANCE });
  });
}

test("twoStageLoss() adds a second gradient of an activation to the first", () => {
  const { weights, ...rest } = makeInputs(5, 3);
  const constant = gpu.tensor(weights.shape, { label: "weights", values: weights.values });
  return checkOp(gpu, "flat", {
    inputs: rest,
    op: (tape, t) => {
      const given = { ...t, logits: add(tape, t.logits, t.logits), weights: constant };
      return add(tape, twoStageLoss(tape, given).loss, twoStageLoss(tape, given).loss);
    },
    reference: ({ logits, previous, targets }) => {
      const doubled = logits.map((logit) => 2 * logit);
      const at = { logits: doubled, previous, targets, weights: weights.values };
      return Float64Array.of(2 * twoStageReference(at).loss);
    },
    tolerance: TOLERANCE,
  });
});

test("twoStageLoss() and twoStageDistribution() refuse what does not fit", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: 0 });
  const tensor = (shape: number[], dtype: DType = "f32") =>
    tape.activation(shape, { label: "t", dtype });
  const [logits, ids] = [tensor([2, 4]), tensor([2], "u32")];
  const fitting = { logits, previous: ids, targets: ids, weights: tensor([2]) };
  assert.throws(() => twoStageLoss(tape, { ...fitting, logits: tensor([2, 2]) }), {
    name: "RangeError",
    message:
      "Cannot apply twoStageLoss(): logits must be [numRows, numOccupations + 1] of at least 2 occupations, got [2, 2] f32",
  });
  assert.throws(() => twoStageLoss(tape, { ...fitting, targets: tensor([3], "u32") }), {
    name: "RangeError",
    message: "Cannot apply twoStageLoss() to logits [2, 4] f32: targets must be [2], got [3] u32",
  });
  assert.throws(() => twoStageLoss(tape, { ...fitting, previous: tensor([2]) }), {
    name: "TypeError",
    message: "Cannot apply twoStageLoss(): previous must be u32, got [2] f32",
  });
  assert.throws(() => twoStageDistribution(tape, { ...fitting, statistics: tensor([2, 3]) }), {
    name: "RangeError",
    message: "Cannot apply twoStageDistribution(): statistics must be [2, 4] f32, got [2, 3] f32",
  });
});
