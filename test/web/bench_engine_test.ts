import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type KernelCase, kernelCases } from "../../bench/cases/mod.ts";
import { Gpu } from "../../engine/gpu.ts";
import { GpuLostError } from "../../engine/gpu_errors.ts";
import type { BenchEvent, BenchOptions, Progress } from "../../web/engine/api.ts";
import { type BenchParts, benchKernels } from "../../web/engine/bench.ts";
import { openWithout } from "../engine/without_memory.ts";
import { openGpu, openTestAdapter } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** Ceilings need not be exact here. */
const TINY_COPY: BenchParts["copyBytes"] = [[2 ** 20]];

const small = kernelCases("small");
const TWO = ["rmsNorm forward f32 stories260K 64x64", "sampling f32 stories260K 1x512"].map(
  (id): KernelCase => ({ ...small.find((one) => one.id === id)!, isQuick: true }),
);
const PARTS: BenchParts = { cases: TWO, copyBytes: TINY_COPY };

async function collect(options: BenchOptions, parts: BenchParts = PARTS): Promise<BenchEvent[]> {
  const events: BenchEvent[] = [];
  const asked = { scale: "small", ...options } as const;
  for await (const event of benchKernels(gpu, asked, parts)) events.push(event);
  return events;
}

const idsOf = (events: readonly BenchEvent[]) =>
  events.map((event) =>
    event.kind === "row" ? event.row.id : event.kind === "left out" ? event.id : event.kind,
  );

test("ceilings come first, then a checked row a case, and the ceilings once more", async () => {
  const before = gpu.allocatedBytes;
  const progress: Progress[] = [];
  const events = await collect({ onProgress: (now) => progress.push(now) });
  assert.deepEqual(idsOf(events), ["roofline", ...TWO.map(({ id }) => id), "roofline"]);
  for (const event of events) {
    if (event.kind === "roofline") {
      assert.ok(event.bytesPerSecond > 0 && event.flopsPerSecond > 0);
      assert.equal(event.halfFlopsPerSecond !== undefined, gpu.traits.hasFloat16);
    }
    if (event.kind !== "row") continue;
    const { row } = event;
    assert.ok(0 < row.lowMs && row.lowMs <= row.ms && row.ms <= row.highMs, row.id);
    assert.ok(row.gflops! > 0 && row.gbps! > 0 && row.limitShare! > 0, row.id);
    assert.ok(row.error! >= 0 && row.error! <= 1, row.id);
    assert.equal(event.group, TWO.find(({ id }) => id === row.id)!.group);
  }
  const [first, last] = [events[0]!, events.at(-1)!];
  assert.ok(first.kind === "roofline" && last.kind === "roofline");
  assert.ok(last.bytesPerSecond >= first.bytesPerSecond, "the higher of two measurements");
  assert.deepEqual(
    progress.map(({ done, total, what }) => [done, total, what]),
    [
      [0, 2, "the limits of the device"],
      [0, 2, TWO[0]!.id],
      [1, 2, TWO[1]!.id],
      [2, 2, "the limits of the device, once more"],
    ],
  );
  assert.equal(gpu.allocatedBytes, before, "a run must free what it allocates");
});

/** A case as it is, but for one part. */
const altered = (part: Partial<KernelCase>): KernelCase => ({ ...TWO[0]!, ...part });

test("a wrong case is left out with what is wrong, and the others are measured", async () => {
  const wrong = altered({
    id: "wrong",
    record: (tape, make) =>
      TWO[0]!.record(tape, make).map((result) => ({
        ...result,
        expected: (index, found) => {
          const { value, magnitude } = result.expected(index, found);
          return { value: value + magnitude / 1000, magnitude };
        },
      })),
  });
  const large = altered({
    id: "large",
    record: (_tape, make) => {
      make.empty("x", [2 ** 40]);
      return [];
    },
  });
  const before = gpu.allocatedBytes;
  const events = await collect({}, { ...PARTS, cases: [wrong, large, TWO[0]!] });
  assert.deepEqual(idsOf(events), ["roofline", "wrong", "large", TWO[0]!.id, "roofline"]);
  const [, one, other] = events;
  assert.ok(one?.kind === "left out" && other?.kind === "left out");
  assert.match(one.why, /^Cannot trust wrong: \w+\[\d+\] must be .* times the tolerance\)$/);
  assert.match(other.why, /^Cannot allocate "x": a buffer of this device holds at most/);
  assert.equal(gpu.allocatedBytes, before);
});

test("a case in 16-bit floats is left out where the device has none", async () => {
  const poor = await openGpu({ traits: { hasFloat16: false } });
  try {
    const cases = [altered({ id: "halves", needsFloat16: true })];
    const events: BenchEvent[] = [];
    const parts = { cases, copyBytes: TINY_COPY };
    for await (const event of benchKernels(poor, { scale: "small" }, parts)) {
      events.push(event);
    }
    assert.deepEqual(events[1], {
      kind: "left out",
      id: "halves",
      why: "The device has no 16-bit floats (shader-f16)",
    });
  } finally {
    poor.destroy();
  }
});

test("names, groups and quick runs choose cases; none at all is refused before anything runs", async () => {
  assert.deepEqual(idsOf(await collect({ only: "sampling f32" })), [
    "roofline",
    TWO[1]!.id,
    "roofline",
  ]);
  assert.deepEqual(idsOf(await collect({ group: "norm" })), ["roofline", TWO[0]!.id, "roofline"]);
  const cases = TWO.map((one, i) => ({ ...one, isQuick: i === 0 }));
  assert.deepEqual(idsOf(await collect({}, { ...PARTS, cases })), [
    "roofline",
    TWO[0]!.id,
    "roofline",
  ]);
  assert.deepEqual(idsOf(await collect({ quick: false, only: "rmsNorm" }, { ...PARTS, cases })), [
    "roofline",
    TWO[0]!.id,
    "roofline",
  ]);
  await assert.rejects(collect({ only: "no such case", group: "norm" }), {
    name: "EngineError",
    kind: "bad-input",
    message: 'Cannot run benchmarks: some case must match, got none for "no such case" in norm',
  });
});

test("a signal ends a run between cases, and frees its memory", async () => {
  const controller = new AbortController();
  const before = gpu.allocatedBytes;
  const seen: string[] = [];
  const run = async () => {
    const options = { scale: "small", signal: controller.signal } as const;
    for await (const event of benchKernels(gpu, options, PARTS)) {
      seen.push(event.kind);
      if (event.kind === "row") controller.abort();
    }
  };
  await assert.rejects(run(), { name: "AbortError" });
  assert.deepEqual(seen, ["roofline", "row"]);
  assert.equal(gpu.allocatedBytes, before);
});

test("a device that has no memory for large copies is measured with smaller ones", async () => {
  const copyBytes = [[2 ** 60], [2 ** 20]]; // the first cannot be bound
  assert.deepEqual(idsOf(await collect({}, { cases: [TWO[0]!], copyBytes })), [
    "roofline",
    TWO[0]!.id,
    "roofline",
  ]);
  const tight = await Gpu.open(await openTestAdapter(), { maxMemoryBytes: 2 ** 19 });
  try {
    const parts = { cases: TWO, copyBytes: [[2 ** 22], [2 ** 20]] };
    await assert.rejects(benchKernels(tight, { scale: "small" }, parts).next(), {
      name: "EngineError",
      kind: "out-of-memory",
    });
    assert.equal(tight.allocatedBytes, 0);
  } finally {
    tight.destroy();
  }
});

test("memory that runs out leaves a case out, and is an error where ceilings need it", async () => {
  const failing = new Set<string>();
  const full = await openWithout(failing);
  try {
    const run = benchKernels(full, { scale: "small" }, PARTS);
    assert.equal((await run.next()).value?.kind, "roofline");
    failing.add("x"); // of the norm, and of a copy
    const { value } = await run.next();
    assert.ok(value?.kind === "left out", value?.kind);
    assert.match(value.why, /^Cannot .*"x"/);
    const { value: row } = await run.next();
    assert.equal(row?.kind, "row", "the device is as good as before");
    const held = full.allocatedBytes;
    await assert.rejects(run.next(), { name: "EngineError", kind: "out-of-memory" });
    assert.equal(full.allocatedBytes, held);
  } finally {
    full.destroy();
  }
});

test("the loss of the device ends a run with an error", async () => {
  const doomed = await openGpu();
  const run = benchKernels(doomed, { scale: "small" }, PARTS);
  await run.next();
  doomed.device.destroy();
  await doomed.lost;
  await assert.rejects(run.next(), GpuLostError);
});
