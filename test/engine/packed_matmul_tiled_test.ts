import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openGpu, uniform } from "../support.ts";
import { casesOf, check, DTYPES, plain, run } from "./packed_product.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

for (const dtype of DTYPES) {
  test(`packedMatmul() tiled with ${dtype} weights matches float64, and again in every bit`, async () => {
    const cases = casesOf(dtype);
    const results = await run(gpu, cases, { variant: "tiled" });
    check(cases, results);
    assert.deepEqual(await run(gpu, cases, { variant: "tiled" }), results);
  });
}

test("packedMatmul() tiled reaches outputs beyond 65 535 workgroups", async () => {
  const numColumns = 66_000 * 8; // 66,000 groups of 8 columns
  const weight = Float32Array.from({ length: numColumns }, (_, n) => (n % 251) - 125);
  const product = plain("bf16", { a: Float32Array.of(0.5), weight });
  const [c] = await run(gpu, [product], { variant: "tiled" });
  const expected = weight.subarray(-1000).map((value) => value / 2);
  assert.deepEqual(c!.subarray(-1000), expected);
});

test("packedMatmul() tiled lets an infinite weight reach no row but its own", async () => {
  for (const numRows of [1, 9]) {
    const weight = uniform(3 * 5, 5).fill(Infinity, 10); // all of the last row
    const one = plain("bf16", { a: uniform(5, 6), weight });
    const a = Float32Array.from({ length: 5 * numRows }, (_, i) => one.a[i % 5]!);
    const product = { ...one, numRows, a, c: new Float32Array(3 * numRows) };
    const [c] = await run(gpu, [product], { variant: "tiled" });
    assert.ok(Number.isFinite(c![0]) && Number.isFinite(c![1]), `${numRows}: ${c!.join()}`);
  }
});
