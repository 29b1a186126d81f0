import assert from "node:assert/strict";
import { after, test } from "node:test";
import { MOST_FEW_ROWS } from "../../engine/ops/packed_matmul.ts";
import { FEW_ROWS } from "../../shaders/packed_matmul_few_rows.wgsl.ts";
import { openGpu, uniform } from "../support.ts";
import { casesOf, check, checkBeyondGrid, DTYPES, plain, run } from "./packed_product.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** Columns of a workgroup of 64 lanes, 16 of which share 4 columns: the default for wide results. */
const WIDEST_NT = 16;

for (const dtype of DTYPES) {
  test(`packedMatmul() tiled of few rows with ${dtype} weights matches float64, and again in every bit`, async () => {
    const cases = casesOf(dtype, (numRows) => numRows <= MOST_FEW_ROWS);
    const results = await run(gpu, cases, { variant: "tiled" });
    check(cases, results);
    assert.deepEqual(await run(gpu, cases, { variant: "tiled" }), results);
  });
}

test("packedMatmul() tiled (nt) of few rows adds to what is there where it is told to", async () => {
  const cases = casesOf("f16", (numRows) => numRows <= MOST_FEW_ROWS)
    .filter(({ layout }) => layout === "nt")
    .map((each) => ({ ...each, accumulate: true }));
  assert.ok(cases.some(({ c }) => c.some((value) => value !== 0)));
  check(cases, await run(gpu, cases, { variant: "tiled" }));
});

test("packedMatmul() tiled of few rows reads windows that no four elements of x are aligned in", async () => {
  const [depth, numRows] = [64, 2];
  const weight = uniform(5 * depth, 5).map((value) => Math.round(64 * value) / 64); // halves
  for (const [aBegin, aStride] of [
    [3, 68],
    [4, 70],
  ] as const) {
    const whole = plain("f16", { a: uniform(depth * numRows, 6), weight }, { numRows });
    const cases = [{ ...whole, aBegin, aStride, a: uniform(aStride * numRows, 7) }];
    check(cases, await run(gpu, cases, { variant: "tiled" }));
  }
});

for (const [layout, numRows, numColumns, kernel] of [
  ["nt", 1, 65_600 * WIDEST_NT, "fusedProjectionTiled"],
  ["nn", 8, (65_600 / 4) * FEW_ROWS.columns, "packedFewRowsNn"],
] as const) {
  test(`packedMatmul() tiled (${layout}) of few rows reaches outputs beyond 65 535 workgroups`, () =>
    checkBeyondGrid(gpu, "tiled", { layout, numRows, numColumns, kernel }));
}

test("packedMatmul() tiled of few rows lets an infinite weight reach no row but its own", async () => {
  const numRows = 1;
  const weight = uniform(3 * 5, 5).fill(Infinity, 10); // all of the last row
  const product = plain("bf16", { a: uniform(5 * numRows, 6), weight }, { numRows });
  const [c] = await run(gpu, [product], { variant: "tiled" });
  c!.forEach((value, i) => assert.ok(i % 3 === 2 || Number.isFinite(value), c!.join()));
});
