import assert from "node:assert/strict";
import { after, test } from "node:test";
import { packedMatmul } from "../../engine/ops/packed_matmul.ts";
import { Tape } from "../../engine/tape.ts";
import { openGpu, uniform } from "../support.ts";
import {
  caseOf,
  casesOf,
  check,
  checkBeyondGrid,
  DTYPES,
  LAYOUTS,
  plain,
  run,
  SHAPES,
} from "./packed_product.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

for (const dtype of DTYPES) {
  test(`packedMatmul() flat with ${dtype} weights matches float64, and again in every bit`, async () => {
    const cases = casesOf(dtype);
    const results = await run(gpu, cases, { variant: "flat" });
    check(cases, results);
    assert.deepEqual(await run(gpu, cases, { variant: "flat" }), results);
  });
}

// How rows of activations are shared does not depend on how a weight is loaded.
for (const dtype of ["f32", "f16", "int8"] as const) {
  test(`packedMatmul() flat with ${dtype} weights does without subgroups, to the same bits`, async () => {
    const cases = LAYOUTS.map((layout) => caseOf(layout, dtype, SHAPES[1]));
    const alone = await run(gpu, cases, { variant: "flat", subgroupSize: 0 });
    check(cases, alone);
    assert.deepEqual(alone, await run(gpu, cases, { variant: "flat" }));
  });
}

test("packedMatmul() flat gives a row the same bits alone and in a batch", async () => {
  for (const dtype of ["f32", "int4"] as const) {
    for (const layout of LAYOUTS) {
      const batch = caseOf(layout, dtype, SHAPES[4]);
      const [all] = await run(gpu, [batch], { variant: "flat" });
      const { aStride, cStride } = batch;
      const rows = [0, 33, 64];
      const singles = rows.map((row) => ({
        ...batch,
        numRows: 1,
        a: batch.a.slice(row * aStride, (row + 1) * aStride),
        c: batch.c.slice(row * cStride, (row + 1) * cStride),
      }));
      const results = await run(gpu, singles, { variant: "flat" });
      rows.forEach((row, i) =>
        assert.deepEqual(results[i], all!.slice(row * cStride, (row + 1) * cStride)),
      );
    }
  }
});

// A workgroup has a lane of 4 columns (nt) or 8 (nn) for each of a subgroup's.
const lanes = Math.max(gpu.subgroupSize, 8);
for (const [layout, numRows, numColumns, kernel] of [
  ["nt", 1, 65_600 * lanes * 4, "packedMatmulNtFlat"],
  ["nn", 65_600 * 8, 1, "packedMatmulNnFlat"],
] as const) {
  test(`packedMatmul() flat (${layout}) reaches outputs beyond 65 535 workgroups`, () =>
    checkBeyondGrid(gpu, "flat", { layout, numRows, numColumns, kernel }));
}

test("packedMatmul() flat lets an infinite weight reach no row but its own", async () => {
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    const weight = uniform(3 * 5, 5).fill(Infinity, 10); // all of the last row
    const [c] = await run(gpu, [plain(dtype, { a: uniform(5, 6), weight })], { variant: "flat" });
    assert.ok(Number.isFinite(c![0]) && Number.isFinite(c![1]), `${dtype}: ${c!.join()}`);
  }
});

test("packedMatmul() refuses shapes that do not fit and activations that are not f32", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: 0 });
  const tensor = (shape: number[], dtype: "f32" | "f16" | "int8" | "u32", label: string) =>
    tape.activation(shape, { label, dtype });
  const c = tensor([2, 3], "f32", "c");
  const b = tensor([3, 40], "int8", "weight");
  assert.throws(() => packedMatmul(tape, "nt", { a: tensor([2, 41], "f32", "x"), b, c }), {
    name: "RangeError",
    message:
      "Cannot multiply (nt) a [2, 41] f32 by b [3, 40] int8 into c [2, 3] f32: shapes and dtypes must fit",
  });
  assert.throws(() => packedMatmul(tape, "nt", { a: tensor([2, 40], "f16", "x"), b, c }), {
    name: "TypeError",
    message: 'Cannot multiply by "weight" [3, 40] int8: "x" must be f32, got [2, 40] f16',
  });
  const ids = tensor([3, 40], "u32", "ids");
  assert.throws(() => packedMatmul(tape, "nt", { a: tensor([2, 40], "f32", "x"), b: ids, c }), {
    name: "TypeError",
    message:
      'Cannot multiply by "ids": a weight must be f32, f16, bf16, int8 or int4, got [3, 40] u32',
  });
});
