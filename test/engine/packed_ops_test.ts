import assert from "node:assert/strict";
import { after, test } from "node:test";
import { toFloat16 } from "../../engine/float16.ts";
import type { Variant } from "../../engine/gpu.ts";
import { cast } from "../../engine/ops/cast.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { linear } from "../../engine/ops/linear.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { pairLogProbabilities } from "../../engine/ops/pair_log_probabilities.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { rootOf } from "../../engine/tensor.ts";
import { linearReference } from "../reference/linear.ts";
import { dot } from "../gradient.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkGradient, withoutFloat16 } from "./check_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Dot products of up to 700 terms in [-1, 1): f32 rounds each partial sum, of size up to 30.
const TOLERANCE = { rtol: 3e-6, atol: 3e-5 };

/** Parts of at most 20,000 bytes that a weight [700, 64] has. */
const PARTS = { f16: 5, bf16: 5, int8: 3, int4: 2 } as const;

const PACKED = ["f16", "bf16", "int8", "int4"] as const satisfies WeightDType[];

/** A frozen weight of random values, and what it amounts to. */
function frozen(shape: readonly number[], dtype: WeightDType, seed = 1) {
  const packed = pack(
    uniform(
      shape.reduce((a, b) => a * b),
      seed,
    ),
    shape,
    dtype,
  );
  const tensor = gpu.tensor(shape, { label: "weight", purpose: "weights", dtype, values: packed });
  return { tensor, values: unpack(packed, shape, dtype) };
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const dtype of PACKED) {
    // The tape's small binding limit takes the weight in parts, as columns of y and of dy.
    for (const [maxBindingBytes, numParts] of [
      [Infinity, 1],
      [20_000, PARTS[dtype]],
    ] as const) {
      const how = numParts === 1 ? "whole" : `in ${numParts} parts`;
      test(`linear() ${variant} with a weight of ${dtype} ${how} matches float64, forward and backward`, async () => {
        const [numRows, dIn, dOut] = [3, 64, 700];
        const weight = frozen([dOut, dIn], dtype);
        // No parameter: its gradient is stored by the first part, then added to.
        const xValues = uniform(numRows * dIn, 2);
        const input = gpu.tensor([numRows, dIn], { label: "x", values: xValues });
        const x = { ...input, needsGradient: true };
        const biasValues = uniform(dOut, 3);
        const bias = gpu.tensor([dOut], { label: "bias", values: biasValues });
        const dy = uniform(numRows * dOut, 4);
        const { subgroupSize } = gpu;
        const tape = new Tape({ variant, subgroupSize, maxBindingBytes });
        const y = linear(tape, x, weight.tensor, bias);
        tape.backward(y, gpu.tensor(y.shape, { label: "dy", values: dy }), [x]);
        const gradient = tape.gradient(x);
        const products = tape.dispatches.filter(({ buffers }) =>
          [buffers["b"], buffers["w0"]].some((b) => b && rootOf(b) === weight.tensor),
        );
        assert.equal(products.length, 2 * numParts, "each part makes y, and dx");
        const plan = await new Plan(gpu, tape, { keep: [y, gradient] }).compile();
        plan.run();
        const [output, dx] = await plan.read(y, gradient);
        const at = Float64Array.from(xValues);
        const given = {
          weight: Float64Array.from(weight.values),
          bias: Float64Array.from(biasValues),
        };
        const expected = linearReference({ x: at, ...given });
        assertClose(output!, expected, { what: "y", ...TOLERANCE });
        const loss = (value: Float64Array) => dot(linearReference({ x: value, ...given }), dy);
        checkGradient(dx!, loss, { at, what: "dx", tolerance: TOLERANCE });
        plan.destroy();
      });
    }

    test(`embedding() ${variant} looks up rows of ${dtype}, whole and in parts, exactly`, async () => {
      for (const [dModel, maxBindingBytes] of [
        [37, Infinity],
        [64, 20_000],
      ] as const) {
        const vocabSize = 600;
        const table = frozen([vocabSize, dModel], dtype, dModel);
        const ids = [599, 0, 300, 300, 1_000_000];
        const tokens = gpu.tensor([5], {
          label: "ids",
          dtype: "u32",
          values: Uint32Array.from(ids),
        });
        const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize, maxBindingBytes });
        const y = embedding(tape, table.tensor, tokens, { dtype: "f32" });
        const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
        plan.run();
        const [rows] = await plan.read(y);
        const expected = ids.flatMap((id) => {
          const row = Math.min(id, vocabSize - 1) * dModel;
          return [...table.values.subarray(row, row + dModel)];
        });
        assert.deepEqual([...rows!.subarray(0, expected.length)], expected);
        plan.destroy();
      }
    });
  }
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  test(`embedding() ${variant} of bf16 reaches tokens beyond 65 535 workgroups`, async () => {
    const numTokens = 66_000;
    const table = frozen([numTokens, 1], "bf16");
    const values = Uint32Array.from({ length: numTokens }, (_, token) => numTokens - 1 - token);
    const ids = gpu.tensor([numTokens], { label: "ids", dtype: "u32", values });
    const tape = new Tape({ variant, subgroupSize: 0 });
    const y = embedding(tape, table.tensor, ids, { dtype: "f32" });
    const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
    plan.run();
    const [rows] = await plan.read(y);
    assert.deepEqual(rows!.subarray(0, numTokens), table.values.toReversed());
    plan.destroy();
  });

  test(
    `cast() ${variant} of bf16 reaches rows beyond 65 535 workgroups`,
    { skip: withoutFloat16(gpu) },
    async () => {
      const numRows = 65_600 * 64; // a workgroup takes 64 rows of one run in either variant
      const weight = frozen([numRows, 1], "bf16");
      const tape = new Tape({ variant, subgroupSize: 0 });
      const y = cast(tape, weight.tensor);
      assert.ok(tape.dispatches[0]!.workgroups > 65_535);
      const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
      plan.run();
      const [words] = await plan.read(y);
      const halves = new Uint16Array(words!.buffer, 0, numRows);
      assert.deepEqual(halves.subarray(-1000), toFloat16(weight.values.subarray(-1000)));
      plan.destroy();
    },
  );
}

for (const dtype of PACKED) {
  test(`output layers with a weight of ${dtype} give what its unpacked values give`, async () => {
    const [numRows, dModel, vocabSize] = [5, 37, 150];
    const weight = frozen([vocabSize, dModel], dtype);
    const unpacked = gpu.tensor([vocabSize, dModel], { label: "f32", values: weight.values });
    const run = async (table: typeof unpacked) => {
      const x = gpu.parameter([numRows, dModel], {
        label: "x",
        values: uniform(numRows * dModel, 2),
      });
      const u32 = (label: string, ...values: number[]) =>
        gpu.tensor([values.length], { label, dtype: "u32", values: Uint32Array.from(values) });
      const targets = u32("targets", 0, 149, 7, 7, 100);
      const weights = gpu.tensor([numRows], { label: "weights", values: uniform(numRows, 3) });
      const tape = new Tape(gpu);
      const inputs = { x, weight: table, targets, weights };
      const { loss, logProbabilities } = linearCrossEntropy(tape, inputs, { tileSize: 64 });
      const pairs = pairLogProbabilities(tape, {
        x,
        weight: table,
        rows: u32("rows", 0, 1, 2, 3, 4),
        tokens: targets,
      });
      tape.backward(loss, gpu.tensor([1], { label: "seed", values: Float32Array.of(1) }));
      const plan = await new Plan(gpu, tape, { keep: [loss, logProbabilities, pairs] }).compile();
      plan.run();
      const results = await plan.read(loss, logProbabilities, pairs, x.gradient);
      plan.destroy();
      return results;
    };
    const [actual, expected] = [await run(weight.tensor), await run(unpacked)];
    actual.forEach((values, i) =>
      assertClose(values, expected[i]!, { what: `result ${i}`, ...TOLERANCE }),
    );
    assert.ok(Math.abs(actual[1]![0]! - actual[2]![0]!) < 1e-5, "pairs are the targets");
  });
}

test("ops refuse a packed weight that is to be trained, and say what to do", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: 0 });
  const weight = gpu.parameter([40, 32], { label: "weight", dtype: "int8" });
  const x = tape.activation([2, 32], { label: "x" });
  const message = (op: string) =>
    `Cannot differentiate ${op}: packed weights must be frozen, got "weight" [40, 32] int8 that needs a gradient; train an adapter beside it, or hold it as f32`;
  const ids = tape.activation([2], { label: "ids", dtype: "u32" });
  const weights = tape.activation([2], { label: "weights" });
  const ops = {
    "linear()": () => linear(tape, x, weight),
    "embedding()": () => embedding(tape, weight, ids),
    "linearCrossEntropy()": () => linearCrossEntropy(tape, { x, weight, targets: ids, weights }),
  };
  for (const [op, call] of Object.entries(ops)) {
    assert.throws(call, { name: "TypeError", message: message(op) });
  }
});
