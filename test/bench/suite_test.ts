import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openAdapter } from "../../cli/platform/dawn.ts";
import { Progress } from "../../cli/run/progress.ts";
import type { MeasuredRoofline } from "../../engine/profile/roofline.ts";
import { againstLimit, rowOf } from "../../bench/report/row.ts";
import { timeCalls } from "../../bench/suite/host_clock.ts";
import { higher, WrongResultError } from "../../bench/cases/mod.ts";
import type { BenchItem } from "../../bench/suite/item.ts";
import { runItems, runSuite } from "../../bench/suite/suite.ts";
import { openGpu } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** What progress would show, swallowed. */
const silent = () => new Progress({ write: () => true });

test("a run measures what was asked for, beside the adapter's limits", async () => {
  const only = /^(rmsNorm forward f32|sampling f32) stories260K (64|1)x/;
  const opened = await openAdapter();
  const limits = { scale: 0.01, copyBytes: [2 ** 22], minMs: 1 }; // ceilings need not be exact
  const found = await runSuite(opened, { only, scale: "small", tuning: "off", limits });
  assert.deepEqual(found.failures, []);
  assert.deepEqual(
    found.rows.map(({ id }) => id),
    ["rmsNorm forward f32 stories260K 64x64", "sampling f32 stories260K 1x512"],
  );
  for (const row of found.rows) {
    assert.ok(row.lowMs <= row.ms && row.ms <= row.highMs && row.ms > 0, row.id);
    assert.ok(row.firstMs! > 0 && row.peakBytes! > 0 && row.limitShare! > 0, row.id);
    assert.ok(row.error! >= 0 && row.error! <= 1, row.id);
    assert.equal(row.numRounds, 9);
  }
  assert.ok(found.roofline.bytesPerSecond > 0 && found.roofline.flopsPerSecond > 0);
  assert.equal(found.numTuned, 0);
  assert.equal(found.options.only, only.source);
});

test("a run of nothing is refused", async () => {
  await assert.rejects(runSuite(await openAdapter(), { only: /no such row/ }), {
    name: "RangeError",
    message: /rows must match \/no such row\/ at the (small|full) scale, got none/,
  });
});

test("a wrong result and one that does not fit are named, and the run goes on", async () => {
  const row = rowOf(
    { id: "good", group: "kernels", shape: "", dtype: "f32" },
    { rounds: [1], clock: "wall" },
  );
  const item = (id: string, run: BenchItem["run"]): BenchItem => ({ ids: [id], run });
  const fail = (id: string, error: Error) => item(id, () => Promise.reject(error));
  const items = [
    fail("wrong", new WrongResultError("Cannot trust wrong")),
    fail("large", new RangeError("Cannot hold large")),
    item("good", () => Promise.resolve([row])),
  ];
  const context = {
    gpu,
    scale: "small",
    isQuick: true,
    effort: { rounds: 1, minMs: 1, maxMs: 1 },
    limitMs: undefined,
    wants: () => true,
  } as const;
  assert.deepEqual(await runItems(items, context, silent()), {
    rows: [row],
    failures: [
      { id: "wrong", message: "Cannot trust wrong" },
      { id: "large", message: "Cannot hold large" },
    ],
  });
  const broken = [fail("broken", new TypeError("no function"))];
  await assert.rejects(runItems(broken, context, silent()), TypeError);
});

test("ceilings are the higher of two measurements, and rows follow them", () => {
  const runs: MeasuredRoofline["runs"] = [];
  const one = { bytesPerSecond: 2e9, flopsPerSecond: 1e9, halfFlopsPerSecond: NaN, runs };
  const both = higher(one, {
    ...one,
    bytesPerSecond: 1e9,
    flopsPerSecond: 4e9,
    halfFlopsPerSecond: 5,
  });
  assert.deepEqual(both, {
    bytesPerSecond: 2e9,
    flopsPerSecond: 4e9,
    halfFlopsPerSecond: 5,
    runs,
  });
  const limit = (perSecond: number) => (work: { readonly flops: number }) =>
    (1000 * work.flops) / perSecond;
  const row = rowOf(
    { id: "a", group: "kernels", shape: "", dtype: "f32" },
    { rounds: [2], clock: "wall" },
    { work: { flops: 1e6, bytes: 1 }, limitMs: limit(1e9) },
  );
  assert.equal(row.limitShare, 0.5);
  assert.ok(Math.abs(againstLimit(row, limit(4e9)).limitShare! - 0.125) < 1e-12);
});

test("calls are timed one by one, as many as fit the time", async () => {
  let calls = 0;
  const call = () => {
    calls += 1;
    return new Promise((resolve) => setTimeout(resolve, 20));
  };
  const many = await timeCalls(call, { rounds: 4, maxMs: 10_000 });
  assert.equal(many.rounds.length, 4);
  assert.equal(calls, 5, "one before, to compile");
  for (const ms of many.rounds) assert.ok(ms >= 15 && ms < 2000, `${ms}`);
  const few = await timeCalls(call, { rounds: 100, maxMs: 1 });
  assert.equal(few.rounds.length, 2);
  await assert.rejects(
    timeCalls(() => Promise.reject(new RangeError("no")), { rounds: 1, maxMs: 1 }),
    RangeError,
  );
});
