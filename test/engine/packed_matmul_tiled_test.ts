import assert from "node:assert/strict";
import { after, test } from "node:test";
import { MOST_FEW_ROWS } from "../../engine/ops/packed_matmul.ts";
import { Tape } from "../../engine/tape.ts";
import type { Kernel } from "../../shaders/kernel.ts";
import { PACKED_TILE } from "../../shaders/packed_matmul_tiled.wgsl.ts";
import { openGpu, uniform } from "../support.ts";
import { casesOf, check, DTYPES, plain, record, replay, run } from "./packed_product.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

for (const dtype of DTYPES) {
  test(`packedMatmul() tiled with ${dtype} weights matches float64, and again in every bit`, async () => {
    const cases = casesOf(dtype, (numRows) => numRows > MOST_FEW_ROWS);
    const results = await run(gpu, cases, { variant: "tiled" });
    check(cases, results);
    assert.deepEqual(await run(gpu, cases, { variant: "tiled" }), results);
  });
}

test("packedMatmul() tiled reaches every tile once beyond 65 535 workgroups", async () => {
  const numRows = 65_600 * PACKED_TILE;
  const product = plain(
    "bf16",
    { a: new Float32Array(numRows), weight: Float32Array.of(1) },
    { numRows },
  );
  const c = Float32Array.from({ length: numRows }, (_, m) => m % 1000);
  const adding = { ...product, c, bias: Float32Array.of(0.5), accumulate: true };
  const { tape, outputs } = record(gpu, [adding], { variant: "tiled" });
  const [dispatch] = tape.dispatches;
  assert.equal(dispatch!.kernel.name, "packedMatmulTiled");
  assert.ok(dispatch!.workgroups > 65_535);
  // Sums of no terms, of which so many tiles take 6 s on a software adapter, leave the bias.
  const short = new Tape({ variant: "tiled", subgroupSize: 0 });
  const params = { ...dispatch!.params, depth: 0 };
  short.dispatch(dispatch!.kernel as Kernel<unknown>, { ...dispatch!, params });
  const [sums] = await replay(gpu, short, outputs);
  assert.deepEqual(
    sums,
    c.map((value) => value + 0.5),
  );
});

test("packedMatmul() tiled lets an infinite weight reach no row but its own", async () => {
  const numRows = MOST_FEW_ROWS + 1;
  const weight = uniform(3 * 5, 5).fill(Infinity, 10); // all of the last row
  const product = plain("bf16", { a: uniform(5 * numRows, 6), weight }, { numRows });
  const [c] = await run(gpu, [product], { variant: "tiled" });
  c!.forEach((value, i) => assert.ok(i % 3 === 2 || Number.isFinite(value), c!.join()));
});
