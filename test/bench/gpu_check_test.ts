import assert from "node:assert/strict";
import { after, test } from "node:test";
import { checkKernels } from "../../bench/gpu_check/correctness.ts";
import { decodingItems } from "../../bench/gpu_check/decoding.ts";
import { measureItems } from "../../bench/gpu_check/measured.ts";
import type { CheckContext } from "../../bench/gpu_check/section.ts";
import { tuneKernels } from "../../bench/gpu_check/tuning.ts";
import { rowOf } from "../../bench/report/row.ts";
import type { BenchItem } from "../../bench/suite/item.ts";
import { openAdapter } from "../../cli/platform/dawn.ts";
import { Gpu } from "../../engine/gpu.ts";

const opened = await openAdapter();
const gpu = await Gpu.open(opened.adapter);
after(() => gpu.destroy());

const context = (): CheckContext => {
  const device = { opened, gpu };
  return { safe: device, fast: device, scale: "small", say: () => {} };
};

/** An item of one row, or one that throws. */
const item = (id: string, error?: string): BenchItem => ({
  ids: [id],
  run: () => {
    if (error !== undefined) return Promise.reject(new Error(error));
    const about = { id, group: "kernels", shape: "", dtype: "f32" } as const;
    const work = { flops: 2e6, bytes: 1e6 };
    return Promise.resolve([rowOf(about, { rounds: [1, 2, 3], clock: "wall" }, { work })]);
  },
});

test("an item that fails is told, and does not keep others from being measured", async () => {
  const items = [item("first"), item("second", "it is wrong"), item("third")];
  const found = await measureItems(items, context(), Infinity);
  assert.deepEqual(
    found.rows.map(({ id, ms, gflops }) => ({ id, ms, gflops })),
    ["first", "third"].map((id) => ({ id, ms: 2, gflops: 1 })),
  );
  assert.deepEqual(found.failures, ["second: it is wrong"]);
  assert.match(found.lines[0]!, /^first: 2\.00 ms, 1\.00 GFLOP\/s, 0\.500 GB\/s$/);
});

test("what does not fit the time is skipped, and said", async () => {
  const found = await measureItems([item("first"), item("second")], context(), -1);
  assert.deepEqual(found.body, { rows: [], failures: [], skipped: ["first", "second"] });
  assert.match(found.lines.at(-1)!, /^2 rows skipped/);
});

test("kernels that there was no time for are no success", async () => {
  const { body, lines } = await checkKernels(context(), -1);
  const { numCases, skipped } = body as { numCases: number; skipped: string[] };
  assert.equal(numCases, 0);
  assert.ok(skipped.length > 100, `all cases must be skipped, got ${skipped.length}`);
  assert.match(lines[1]!, /cases skipped/);
});

test("the tuner says which shapes it had no time for, and leaves their defaults", async () => {
  const found = await tuneKernels(context(), performance.now());
  const { skipped, results } = found.body as { skipped: Record<string, string>; results: [] };
  assert.equal(results.length, 0);
  assert.ok(
    Object.keys(skipped).some((key) => key.startsWith("matmul ")),
    `products must be asked for, got ${Object.keys(skipped).join(", ")}`,
  );
  assert.equal(gpu.choices.size, 0);
});

test("a model of repeated weights decodes", async () => {
  const [first] = decodingItems("small");
  const wants = (id: string) => id.startsWith("decode B1");
  const found = await measureItems([first!], context(), Infinity, wants);
  assert.deepEqual(found.failures, []);
  assert.equal(found.rows.length, 1);
  assert.ok(found.rows[0]!.tokensPerSecond! > 0, "a rate must be there");
});
