import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as fc from "fast-check";
import type { Gpu, Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import {
  ADAM_W_SCHEDULE_LENGTH,
  adamWSchedule,
  adamWStates,
  adamWStep,
} from "../../engine/ops/adam_w.ts";
import { clipGradients } from "../../engine/ops/clip_gradients.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { linear } from "../../engine/ops/linear.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { pairLogProbabilities } from "../../engine/ops/pair_log_probabilities.ts";
import { Plan } from "../../engine/plan.ts";
import { TokenInput } from "../../engine/segments.ts";
import { part, rowChunks } from "../../engine/split.ts";
import { Tape } from "../../engine/tape.ts";
import { byteOffsetOf, bytesOf, type DType, rows, type Tensor } from "../../engine/tensor.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { type Input, runOp } from "./run_op.ts";

const LIMIT = 4096;
const whole = await openGpu();
/** A device that binds 4 KiB at a time; its plans refuse any tensor that an op forgets to split. */
const limited = await openGpu({ maxBindingBytes: LIMIT });
after(() => [whole, limited].forEach((gpu) => gpu.destroy()));

// Sums of up to 300 terms in [-1, 1), added up part by part: f32 rounds each partial sum.
const TOLERANCE = { rtol: 2e-6, atol: 1e-5 };

const VARIANTS = ["flat", "tiled"] satisfies Variant[];

/** An op on either device, forward and backward, and the kernels it took. */
async function runBoth<Names extends string>(
  variant: Variant,
  run: Omit<Parameters<typeof runOp<Names>>[2], "op"> & {
    readonly op: (gpu: Gpu) => Parameters<typeof runOp<Names>>[2]["op"];
  },
) {
  const on = async (gpu: Gpu) => {
    let tape: Tape | undefined;
    const op = run.op(gpu);
    const result = await runOp(gpu, variant, {
      ...run,
      op: (recorded, tensors) => op((tape = recorded), tensors),
    });
    const kernels = tape!.dispatches.map(({ kernel }) => kernel.name);
    return {
      ...result,
      count: (name: string) => kernels.filter((kernel) => kernel === name).length,
    };
  };
  return { split: await on(limited), plain: await on(whole) };
}

const matrix = (numRows: number, numColumns: number, seed: number): Input => ({
  shape: [numRows, numColumns],
  values: uniform(numRows * numColumns, seed),
});

test("rowChunks() covers all rows with the fewest ranges of one length that fit and begin where a binding may", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<DType>("f32", "f16", "u32", "bf16", "int8", "int4"),
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 200_000 }),
      (dtype, numRows, numColumns, maxBytes) => {
        const shape = [numRows, numColumns];
        const tensor: Tensor = {
          shape,
          dtype,
          purpose: "weights",
          label: "w",
          needsGradient: false,
        };
        // What begins where a binding may: found by trying, as rows() does.
        const begins = Array.from({ length: numRows }, (_, row) => row).filter(
          (row) => row === 0 || bytesOf({ shape: [256 * row, numColumns], dtype }) % 256 ** 2 === 0,
        );
        const fits = (length: number) =>
          bytesOf({ shape: [length, numColumns], dtype }) <= maxBytes;
        const step = begins[1] ?? numRows;
        if (!fits(numRows) && !fits(step)) {
          assert.throws(() => rowChunks(tensor, maxBytes), RangeError);
          return;
        }
        const chunks = rowChunks(tensor, maxBytes);
        let end = 0;
        let longest = 0;
        for (const chunk of chunks) {
          assert.equal(chunk.begin, end);
          assert.ok(chunk.end > chunk.begin);
          assert.equal(byteOffsetOf(part(tensor, chunk)) % 256, 0);
          assert.ok(fits(chunk.end - chunk.begin), "a range must fit");
          end = chunk.end;
          longest = Math.max(longest, chunk.end - chunk.begin);
        }
        assert.equal(end, numRows);
        // The longest range that another one may follow.
        const most = begins.findLast((row) => row > 0 && fits(row)) ?? numRows;
        const count = fits(numRows) ? 1 : Math.ceil(numRows / most);
        assert.equal(chunks.length, count);
        assert.ok(longest <= Math.ceil(numRows / count / step) * step, "ranges must be balanced");
      },
    ),
  );
});

test("rowChunks() begins at multiples of a number of rows where as many fit", () => {
  const tensor = whole.tensor([10_000], { label: "x" });
  const begins = (maxBytes: number) =>
    rowChunks(tensor, maxBytes, { multiple: 96 }).map(({ begin }) => begin);
  // 192 is the least multiple of both 96 and the 64 elements of 256 bytes.
  assert.deepEqual(begins(4 * 4000), [0, 3456, 6912]);
  assert.ok(begins(4 * 100).every((begin) => begin % 64 === 0));
});

test("rowChunks() names a tensor whose rows are too long", () => {
  const tensor = whole.tensor([70, 33], { label: "wide" });
  assert.throws(() => rowChunks(tensor, LIMIT), {
    name: "RangeError",
    message:
      'Cannot split "wide" [70, 33] f32: this device must bind 64 rows of 8448 bytes at once, got a limit of 4096',
  });
});

for (const variant of VARIANTS) {
  const matmul = variant === "flat" ? "matmulFlat" : "matmulTiled";

  // [rows, dIn, dOut]: one row; parts of less than a tile; parts of several tiles, the last one ragged.
  for (const [numRows, dIn, dOut, numParts] of [
    [1, 32, 70, 3],
    [5, 36, 70, 5],
    [3, 4, 301, 2],
    [20, 48, 48, 3],
  ] as const) {
    test(`linear() ${variant} of [${numRows}, ${dIn}] to ${dOut} in ${numParts} parts is what it is in one`, async () => {
      const { split, plain } = await runBoth(variant, {
        inputs: {
          x: matrix(numRows, dIn, 1),
          weight: matrix(dOut, dIn, 2),
          bias: { shape: [dOut], values: uniform(dOut, 3) },
        },
        dy: uniform(numRows * dOut, 4),
        runs: 2,
        // Parts of dx are stored in an activation, then added to: x itself would be added to at once.
        op: () => (tape, t) => linear(tape, add(tape, t.x, t.x), t.weight, t.bias),
      });
      // Few rows meet the weight in a kernel of their own.
      const forward = variant === "flat" ? "packedMatmulNtFlat" : "fusedProjectionTiled";
      const products = ({ count }: typeof split) => count(matmul) + count(forward);
      assert.equal(products(plain), 3);
      assert.equal(products(split), 3 * numParts);
      assert.deepEqual(split.y, plain.y);
      assert.deepEqual(split.gradients.weight, plain.gradients.weight);
      assert.deepEqual(split.gradients.bias, plain.gradients.bias);
      assertClose(split.gradients.x, plain.gradients.x, { what: "dx", ...TOLERANCE });
    });
  }

  test(`embedding() ${variant} of a table in parts is what it is in one`, async () => {
    // Every part, its edges, rows named twice and rows never named.
    const ids = [0, 31, 32, 63, 64, 99, 99, 5, 31, 98, 64, 0];
    const { split, plain } = await runBoth(variant, {
      inputs: { table: matrix(100, 30, 1) },
      dy: uniform(ids.length * 30, 2),
      op: (gpu) => {
        const tokens = new TokenInput(gpu, { numTokens: ids.length, vocabSize: 100 });
        tokens.write(Uint32Array.from(ids));
        return (tape, t) => embedding(tape, t.table, tokens);
      },
    });
    assert.equal(split.count("embeddingForward"), 4);
    assert.deepEqual(split.y, plain.y);
    assert.deepEqual(split.gradients.table, plain.gradients.table);
  });

  test(`embedding() ${variant} in parts clamps ids beyond the table to its last row`, async () => {
    const ids = { shape: [2], values: Uint32Array.of(4_000_000_000, 100) };
    const inputs = { table: matrix(100, 30, 1), ids };
    const { y } = await runOp(limited, variant, {
      inputs,
      op: (tape, t) => embedding(tape, { ...t.table, needsGradient: false }, t.ids),
    });
    const last = inputs.table.values.subarray(99 * 30);
    assert.deepEqual([...y], [...last, ...last]);
  });

  test(`linearCrossEntropy() ${variant} of an output layer in parts is what it is in tiles`, async () => {
    const numRows = 7;
    const targets = Uint32Array.of(0, 63, 64, 299, 128, 0xffff_ffff, 127);
    const { split, plain } = await runBoth(variant, {
      inputs: {
        x: matrix(numRows, 16, 1),
        weight: matrix(300, 16, 2),
        targets: { shape: [numRows], values: targets },
        weights: { shape: [numRows], values: uniform(numRows, 3) },
      },
      dy: Float32Array.of(0.5),
      op: (gpu) => (tape, t) => {
        const weights = { ...t.weights, needsGradient: false };
        Object.assign(t.weights, { needsGradient: false });
        // 64 rows of the weight are 4 KiB.
        const options = gpu === whole ? { tileSize: 64 } : {};
        return linearCrossEntropy(tape, { ...t, weights }, options).loss;
      },
    });
    assert.equal(split.count("crossEntropyTile"), 5);
    assert.deepEqual(split, { ...plain, count: split.count });
  });

  test(`pairLogProbabilities() ${variant} of an output layer in parts is what it is in one`, async () => {
    const numPairs = 40;
    const { split, plain } = await runBoth(variant, {
      inputs: {
        x: matrix(3, 16, 1),
        weight: matrix(300, 16, 2),
        rows: { shape: [numPairs], values: new Uint32Array(numPairs).map((_, j) => j % 3) },
        tokens: {
          shape: [numPairs],
          values: new Uint32Array(numPairs).map((_, j) => (j * 61) % 300),
        },
      },
      op: () => (tape, t) => pairLogProbabilities(tape, t),
    });
    assert.equal(split.count("pairLogProbabilities"), 5);
    assertClose(split.y, plain.y, { what: "log-probability", ...TOLERANCE });
  });

  test(`adamWStep() and clipGradients() ${variant} of a parameter in parts are what they are in one`, async () => {
    const length = 5000;
    const on = async (gpu: Gpu) => {
      const p = gpu.parameter([50, 100], { label: "p", values: uniform(length, 1) });
      gpu.write(p.gradient, uniform(length, 2));
      const state = adamWStates(gpu, [p])[0]!;
      gpu.write(state.m, uniform(length, 3));
      gpu.write(state.v, uniform(length, 4).map(Math.abs));
      const values = adamWSchedule({ learningRate: 0.1, step: 3 });
      const schedule = gpu.tensor([ADAM_W_SCHEDULE_LENGTH], { label: "schedule", values });
      const maxNorm = gpu.tensor([1], { label: "maxNorm", values: Float32Array.of(1) });
      const tape = new Tape({ variant, subgroupSize: 0, maxBindingBytes: gpu.maxBindingBytes });
      const clip = clipGradients(tape, [p], maxNorm);
      // The step takes its scale from data, so that both devices scale by the same.
      const scale = gpu.tensor([3], { label: "clip", values: Float32Array.of(0.5, 0, 2) });
      adamWStep(tape, [{ parameter: p, state, weightDecay: 0.1 }], { schedule, clip: scale });
      const plan = await new Plan(gpu, tape, { keep: [clip] }).compile();
      plan.run();
      const { numDispatchesByKernel } = plan.describe();
      const [norm] = await plan.read(clip);
      const moved = await plan.read(p, state.m, state.v, p.gradient);
      plan.destroy();
      return { norm: norm!.subarray(0, 3), moved, numDispatchesByKernel };
    };
    const [split, plain] = [await on(limited), await on(whole)];
    assert.equal(split.numDispatchesByKernel["adamW"], 5);
    assert.equal(split.numDispatchesByKernel["sumSquares"], 5);
    assert.deepEqual(split.moved, plain.moved);
    assertClose(split.norm, plain.norm, { what: "clip", ...TOLERANCE });
  });

  test(`clipGradients() ${variant} cut at multiples of its chunks gives the same bits`, async () => {
    const norm = async (maxBindingBytes: number) => {
      const p = whole.parameter([3 * 4096 + 7], { label: "p" });
      whole.write(p.gradient, uniform(3 * 4096 + 7, 1));
      const maxNorm = whole.tensor([1], { label: "maxNorm", values: Float32Array.of(1) });
      const tape = new Tape({ variant, subgroupSize: 0, maxBindingBytes });
      const clip = clipGradients(tape, [p], maxNorm);
      const plan = await new Plan(whole, tape, { keep: [clip] }).compile();
      plan.run();
      const [values] = await plan.read(clip);
      plan.destroy();
      return [plan.describe().numDispatchesByKernel["sumSquares"], ...values!.subarray(0, 3)];
    };
    const [, ...plain] = await norm(Infinity);
    assert.deepEqual(await norm(4 * 5000), [4, ...plain]);
  });

  test(`add() ${variant} of parameters in parts is what it is in one, and so are their gradients`, async () => {
    // Both gradients are dy: added into a parameter's, copied for an activation's.
    const { split, plain } = await runBoth(variant, {
      inputs: { a: matrix(50, 70, 1), b: matrix(50, 70, 2) },
      dy: uniform(3500, 3),
      op: () => (tape, t) => add(tape, t.a, t.b),
    });
    assert.equal(split.count("add"), 4);
    assert.equal(split.count("addInto"), 8);
    assert.deepEqual(split, { ...plain, count: split.count });
  });
}

test("a plan names the tensor and the kernel that would see too much of it", async () => {
  const tape = new Tape({ variant: "flat", subgroupSize: 0 }); // knows of no limit
  const x = limited.tensor([9, 64], { label: "x" });
  const weight = limited.tensor([17, 64], { label: "weight" });
  const y = linear(tape, x, weight);
  await assert.rejects(new Plan(limited, tape, { keep: [y] }).compile(), {
    name: "RangeError",
    message:
      'Cannot bind "weight" [17, 64] f32 to matmulFlat: this device binds at most 4096 bytes, got 4352; use a smaller batch or model',
  });
});

test("matmul() refuses windows that do not fit", async () => {
  const { matmul } = await import("../../engine/ops/matmul.ts");
  const tape = new Tape(whole);
  const [a, b, c] = [
    [2, 8],
    [3, 4],
    [2, 6],
  ].map((shape) => tape.activation(shape, { label: "m" })) as [Tensor, Tensor, Tensor];
  const aColumns = { begin: 4, end: 8 };
  matmul(tape, "nt", { a, aColumns, b, c, cColumns: { begin: 3, end: 6 } });
  for (const cColumns of [
    { begin: 4, end: 7 },
    { begin: 0, end: 2 },
  ]) {
    assert.throws(() => matmul(tape, "nt", { a, aColumns, b, c, cColumns }), {
      name: "RangeError",
      message: `Cannot multiply (nt) a [2, 8] f32 by b [3, 4] f32 into c [2, 6] f32 (columns [4, 8) of a and [${cColumns.begin}, ${cColumns.end}) of c): shapes and dtypes must fit`,
    });
  }
});

test("a weight of 156 MiB is looked up and multiplied where 128 MiB can be bound", async () => {
  const [vocabSize, dModel, pieceRows] = [40_000, 1024, 4000];
  const gpu = await openGpu({ maxBindingBytes: 2 ** 27 });
  const table = gpu.tensor([vocabSize, dModel], { label: "table", purpose: "weights" });
  const piece = uniform(pieceRows * dModel, 1);
  // No two pieces are alike: each is the same values, moved on by a prime.
  const moved = (row: number) => {
    const shift = 7919 * Math.floor(row / pieceRows);
    const begin = (row % pieceRows) * dModel;
    return Float64Array.from(
      { length: dModel },
      (_, i) => piece[(begin + i + shift) % piece.length]!,
    );
  };
  for (let begin = 0; begin < vocabSize; begin += pieceRows) {
    const shift = (7919 * begin) / pieceRows;
    const values = new Float32Array(piece.length);
    values.set(piece.subarray(shift));
    values.set(piece.subarray(0, shift), piece.length - shift);
    gpu.write(table, values, { offset: begin * dModel });
  }
  const ids = Uint32Array.of(0, 19_999, 20_000, 32_767, 32_768, 39_999);
  const tape = new Tape(gpu);
  const tokens = gpu.tensor([ids.length], { label: "ids", dtype: "u32", values: ids });
  const x = embedding(tape, table, tokens);
  const logits = linear(tape, x, table);
  const plan = await new Plan(gpu, tape, { keep: [x, logits] }).compile();
  plan.run();
  const [found, products, back] = await plan.read(x, logits, rows(table, 4, vocabSize));
  ids.forEach((id, index) => {
    const row = moved(id);
    assert.deepEqual([...found!.subarray(index * dModel, (index + 1) * dModel)], [...row]);
    for (const other of ids) {
      const expected = moved(other).reduce((sum, value, i) => sum + value * row[i]!, 0);
      // 1,024 products below 1, rounded at 6e-8 as their sum grows to some 300.
      assertClose([products![index * vocabSize + other]!], [expected], {
        what: `row ${id} by row ${other}`,
        rtol: 1e-5,
        atol: 1e-3,
      });
    }
    const at = (id - 4) * dModel;
    if (at >= 0) assert.deepEqual([...back!.subarray(at, at + dModel)], [...row]);
  });
  gpu.destroy();
});
