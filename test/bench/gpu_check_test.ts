import assert from "node:assert/strict";
import { after, test } from "node:test";
import { attempt } from "../../bench/gpu_check/attempt.ts";
import { besideLine, besideTorch } from "../../bench/gpu_check/beside_torch.ts";
import { checkKernels } from "../../bench/gpu_check/correctness.ts";
import { decodingItems } from "../../bench/gpu_check/decoding.ts";
import { measureItems } from "../../bench/gpu_check/measured.ts";
import type { CheckContext, Finding } from "../../bench/gpu_check/section.ts";
import { lastReport } from "../../bench/gpu_check/torch.ts";
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
  return { safe: device, fast: device, scale: "small", say: () => {}, rows: [] };
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

test("a section that throws, or never ends, is a failure of its own", async () => {
  const at = (run: () => Promise<Finding>) => attempt(run, { deadline: 0, graceMs: 20 });
  const found = { body: {}, lines: ["well"] };
  assert.deepEqual(await at(() => Promise.resolve(found)), { ...found, hangs: false });
  const thrown = await at(() => Promise.reject(new Error("it is lost")));
  assert.deepEqual([thrown.failures, thrown.hangs], [["it is lost"], false]);
  const hung = await at(() => new Promise(() => {}));
  assert.equal(hung.hangs, true);
  assert.match(hung.failures![0]!, /^it must end, got nothing/);
});

test("what was measured is there for later sections", async () => {
  const shared = context();
  await measureItems([item("first"), item("second", "it is wrong")], shared, Infinity);
  assert.deepEqual(
    shared.rows.map(({ id }) => id),
    ["first"],
  );
});

test("the last whole report counts, though the program fails or takes too long", async () => {
  const run = (script: string, timeoutMs = 60_000) =>
    lastReport(process.execPath, ["-e", script], timeoutMs);
  const print = 'console.log("a warning"); console.log(JSON.stringify({ copyGBs: 1 }));';
  assert.deepEqual(await run(`${print} console.log(JSON.stringify({ copyGBs: 2 }));`), {
    report: { copyGBs: 2 },
    reason: "",
  });
  assert.deepEqual(await run(`${print} console.error("no memory"); process.exitCode = 3;`), {
    report: { copyGBs: 1 },
    reason: "no memory",
  });
  const slow = await run(`${print} setInterval(() => {}, 1000);`, 3000);
  assert.deepEqual(slow, { report: { copyGBs: 1 }, reason: "it took more than 3 s" });
  const none = await lastReport("tenure-has-no-such-program", [], 1000);
  assert.equal(none.report, undefined);
  assert.match(none.reason, /ENOENT/);
});

test("figures are held beside those of PyTorch, as far as both are there", () => {
  const row = (id: string, group: "kernels" | "train step" | "decode", rest: object) => ({
    ...rowOf(
      { id, group, shape: "", dtype: id.includes(" f16 ") ? "f16" : "f32" },
      { rounds: [1], clock: "wall" },
    ),
    ...rest,
  });
  const rows = [
    row("matmul nt f32 4096x4096x4096", "kernels", { gflops: 30_000 }),
    row("matmul nt f16 4096x4096x4096", "kernels", { gflops: 200_000 }),
    row("matmul nt f32 512x512x512", "kernels", { gflops: 10_000 }),
    row("train step f16 GPT-2 124M B4 T1024", "train step", { tokensPerSecond: 50_000 }),
    row("train step f32 small GPT B4 T128", "train step", { tokensPerSecond: 9 }),
    row("decode B1 f16 SmolLM2-135M", "decode", { gbps: 900 }),
  ];
  const report = {
    matmul: { size: 4096, tflops: { f32: 50, f16: 800 } },
    copyGBs: 3000,
    training: { batch: 4, tokens: 1024, compiled: true, tokensPerSecond: 100_000 },
  };
  const ceilings = { bytesPerSecond: 2.7e12, flopsPerSecond: 1, runs: [] };
  const found = besideTorch(report, { rows, roofline: ceilings });
  assert.deepEqual(
    found.map(({ what, ratio }) => [what, ratio]),
    [
      ["matmul nt f32 4096x4096x4096 beside cuBLAS", 0.6],
      ["matmul nt f16 4096x4096x4096 beside cuBLAS", 0.25],
      ["train step f16 GPT-2 124M B4 T1024 beside bf16, torch.compile", 0.5],
      ["copy beside copy", 0.9],
      ["decode B1 f16 SmolLM2-135M beside copy", 0.3],
    ],
  );
  assert.equal(
    besideLine(found[0]!),
    "matmul nt f32 4096x4096x4096 beside cuBLAS: 30.0 TFLOP/s, 0.60 times PyTorch's 50.0",
  );
  assert.deepEqual(besideTorch({}, { rows, roofline: ceilings }), []);
  assert.deepEqual(
    besideTorch({ ...report, matmul: { ...report.matmul, size: 64 } }, { rows }).length,
    2,
  );
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
