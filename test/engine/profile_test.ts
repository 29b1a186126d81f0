import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Gpu } from "../../engine/gpu.ts";
import { chromeTrace, type TraceEvent } from "../../engine/profile/chrome_trace.ts";
import {
  groupDispatches,
  type Profile,
  ratesOf,
  sumOf,
  type ProfileGroup,
} from "../../engine/profile/profile.ts";
import { profilePlan, repeatsFor } from "../../engine/profile/profiler.ts";
import { bytesOf } from "../../engine/tensor.ts";
import { TrainingStep } from "../../model/train/training_step.ts";
import { packedBatch, TINY_MODELS, tinyModel } from "../model/tiny_model.ts";
import { openGpu, openTestAdapter } from "../support.ts";
import { withoutTimestamps } from "./without_timestamps.ts";

const gpu = await openGpu();
const bare = await Gpu.open(withoutTimestamps(await openTestAdapter()));
after(() => {
  gpu.destroy();
  bare.destroy();
});

const CONFIG = TINY_MODELS["like Llama, with grouped heads"]!;
const BATCH = packedBatch([[16], [7, 9]], { seqLen: 16 });
const ROOFLINE = { bytesPerSecond: 1e10, flopsPerSecond: 1e11 };
/** A sum of many f64 numbers in another order. */
const ROUNDING = 1e-9;

/** A tiny model after one step of training. */
async function trained(device: Gpu) {
  const model = tinyModel(device, CONFIG);
  const step = await new TrainingStep(device, model, { numRows: 2, seqLen: 16 }).compile();
  await take(step, 1);
  return { model, step };
}

function take(step: TrainingStep, number: number) {
  const at = { learningRate: 1e-2, step: number, numBatches: number - 1 };
  return step.run([BATCH], at);
}

/** Weights, moments and gradients. */
async function valuesOf(device: Gpu, { model, step }: Awaited<ReturnType<typeof trained>>) {
  const values: Float32Array[] = [];
  for (const parameter of model.parameters) {
    const { m, v } = step.moments.get(parameter.label)!;
    for (const tensor of [parameter, m, v, parameter.gradient]) {
      values.push(await device.read(tensor));
    }
  }
  return values;
}

const subject = await trained(gpu);
const { plans } = subject.step;
const recorded = [plans.gradients, plans.update].flatMap(({ dispatches }) => dispatches);
const profile = await profilePlan(gpu, plans, {
  runs: 2,
  roofline: ROOFLINE,
  prepared: { recordMs: 3, compileMs: 4 },
});

test("a profile has every dispatch of a training step once, in order", () => {
  assert.deepEqual(
    profile.dispatches.map(({ kernel }) => kernel),
    recorded.map(({ kernel }) => kernel.name),
  );
  assert.deepEqual(
    profile.dispatches.map(({ index }) => index),
    recorded.map((_, index) => index),
  );
  for (const { kernel, ms, bytes, label, plan } of profile.dispatches) {
    assert.ok(ms > 0 && Number.isFinite(ms), `${kernel} must take time, got ${ms} ms`);
    assert.ok(bytes > 0 && label !== "", `${kernel} must move something`);
    assert.ok(["gradients", "update"].includes(plan));
  }
});

test("a profile tells forward, backward and update apart, and blocks alike", () => {
  const ops = groupDispatches(profile.dispatches, "op").map(({ name }) => name);
  assert.ok(ops.includes("linear(model.layers.*.mlp.up_proj.weight)"), ops.join("\n"));
  const phaseOf = (kernel: string) =>
    new Set(profile.dispatches.filter((one) => one.kernel === kernel).map(({ phase }) => phase));
  assert.deepEqual([...phaseOf("rmsNormForward")], ["forward"]);
  assert.deepEqual([...phaseOf("rmsNormBackwardInput")], ["backward"]);
  assert.deepEqual([...phaseOf("adamW")], ["update"]);
});

test("sums of kernels, ops and phases are the sum of all dispatches", () => {
  const total = sumOf(profile.dispatches);
  assert.equal(total.count, recorded.length);
  for (const by of ["kernel", "op", "phase"] as const) {
    const groups = groupDispatches(profile.dispatches, by);
    assert.equal(new Set(groups.map(({ name }) => name)).size, groups.length);
    for (const key of ["count", "ms", "flops", "bytes", "limitMs"] as const) {
      const sum = groups.reduce((all, group) => all + group[key], 0);
      assert.ok(Math.abs(sum - total[key]) <= ROUNDING * total[key], `${key} by ${by}`);
    }
    assert.ok(groups.every(({ ms }, index) => index === 0 || ms <= groups[index - 1]!.ms));
  }
});

test("rates are work by time, and the share is the limit's", () => {
  const group: ProfileGroup = {
    name: "",
    count: 1,
    ms: 2,
    flops: 4e9,
    bytes: 6e9,
    limitMs: 0.5,
  };
  assert.deepEqual(ratesOf(group), {
    gflopsPerSecond: 2000,
    gbPerSecond: 3000,
    shareOfLimit: 0.25,
  });
});

test("live activations never exceed all of them, and some are alive at every dispatch", () => {
  for (const { plan, liveBytes } of profile.dispatches) {
    const { lifetimes } = plans[plan as keyof typeof plans].memory;
    const all = [...lifetimes.keys()].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
    assert.ok(liveBytes > 0 && liveBytes <= all, `${liveBytes} of ${all} bytes`);
  }
});

test("profiling leaves weights, moments, gradients and the next loss as they were, bit for bit", async () => {
  const [one, twin] = [subject, await trained(gpu)];
  assert.deepEqual(await valuesOf(gpu, one), await valuesOf(gpu, twin));
  assert.deepEqual(await take(one.step, 2), await take(twin.step, 2));
  assert.deepEqual(await valuesOf(gpu, one), await valuesOf(gpu, twin));
});

test("profiling without restoring trains", async () => {
  const one = await trained(gpu);
  const before = await valuesOf(gpu, one);
  await profilePlan(gpu, one.step.plans, { runs: 1, restore: false });
  assert.notDeepEqual(await valuesOf(gpu, one), before);
});

test("every dispatch is encoded alone in its pass, and the step whole beside them", async (t) => {
  const { gradients, update } = plans;
  for (const plan of [gradients, update]) {
    const encode = t.mock.method(plan, "encode");
    await profilePlan(gpu, plans, { runs: 1 });
    const ranges = encode.mock.calls.map(({ arguments: [, begin, end] }) => [begin, end] as const);
    encode.mock.restore();
    const alone = ranges.filter(([begin]) => begin !== undefined);
    assert.ok(ranges.length > alone.length, "the step must run whole, too");
    assert.ok(alone.every(([begin, end]) => end === begin! + 1));
    assert.equal(new Set(alone.map(([begin]) => begin)).size, plan.dispatches.length);
  }
});

test("profiling frees its copies", async () => {
  const before = gpu.allocatedBytes;
  await profilePlan(gpu, plans, { runs: 1 });
  assert.equal(gpu.allocatedBytes, before);
});

test("a device without timestamps is profiled by the host's clock", async () => {
  const one = await trained(bare);
  const { clock, resolutionMs, dispatches, replayMs } = await profilePlan(bare, one.step.plans, {
    runs: 1,
  });
  assert.equal(clock, "wall");
  assert.equal(resolutionMs, Infinity);
  assert.equal(dispatches.length, recorded.length);
  assert.ok(replayMs >= 0 && dispatches.every(({ ms }) => ms >= 0));
  checkTrace(await profilePlan(bare, one.step.plans, { runs: 1 }));
});

test("a dispatch is repeated until the clock can tell how long it takes", () => {
  const least = 16; // steps of a coarse clock
  const [ms, step] = [0.03, 1];
  const told = (repeats: number) => (Math.floor((ms * repeats) / step) * step) / repeats;
  let repeats = 1;
  for (let trial = 0; trial < 3; trial++) repeats = repeatsFor(told(repeats), repeats, least);
  assert.ok(ms * repeats >= least && ms * repeats < 4 * least, `${repeats} repeats`);
  assert.equal(repeatsFor(20, 1, least), 1);
  assert.ok(Number.isInteger(repeatsFor(0, 2 ** 20, least)));
});

test("profilePlan() refuses to measure never", async () => {
  await assert.rejects(profilePlan(gpu, plans, { runs: 0 }), RangeError);
});

/** Slices of a track. */
function slicesOf(events: readonly TraceEvent[], pid: number, tid: number) {
  return events.filter((one) => one.ph === "X" && one.pid === pid && one.tid === tid);
}

/** Checks what Perfetto asks of a trace; returns the slices of the dispatches. */
function checkTrace(of: Profile): readonly TraceEvent[] {
  const trace = chromeTrace(of);
  const { traceEvents } = JSON.parse(JSON.stringify(trace)) as typeof trace;
  assert.deepEqual(traceEvents, trace.traceEvents, "a trace must survive JSON: no NaN, no hole");
  for (const { ph, ts, dur, args, name } of traceEvents) {
    assert.ok(name.length > 0 && "XCM".includes(ph));
    if (ph !== "M") assert.ok(ts! >= 0 && Number.isFinite(ts));
    if (ph === "X") assert.ok(dur! >= 0 && Number.isFinite(dur));
    if (ph === "C") assert.ok(Object.values(args!).every((value) => typeof value === "number"));
  }
  for (const [pid, tid] of [
    [1, 1],
    [2, 1],
    [2, 2],
  ] as const) {
    const slices = slicesOf(traceEvents, pid, tid);
    assert.ok(slices.length > 0);
    slices.forEach(({ ts, dur }, index) => {
      const next = slices[index + 1];
      if (next !== undefined) assert.ok(ts! + dur! <= next.ts! + 1e-6, "slices must not overlap");
    });
    const named = traceEvents.filter((one) => one.ph === "M" && one.pid === pid);
    assert.ok(named.some(({ args }) => typeof args?.["name"] === "string"));
  }
  return slicesOf(traceEvents, 2, 1);
}

test("a trace has a slice for every dispatch, in order, and one for each thing that the host does", () => {
  const slices = checkTrace(profile);
  assert.deepEqual(
    slices.map(({ name, args }) => [name, args!["index"], args!["writes"]]),
    profile.dispatches.map(({ kernel, index, label }) => [kernel, index, label]),
  );
  slices.forEach(({ dur }, index) => {
    assert.ok(Math.abs(dur! - 1000 * profile.dispatches[index]!.ms) < 1e-3);
  });
  assert.ok(slices.every(({ args }) => Number(args!["% of limit"]) > 0));
  const host = slicesOf(chromeTrace(profile).traceEvents, 1, 1).map(({ name }) => name);
  assert.deepEqual(host, ["record", "compile", "encode", "submit", "wait"]);
});

test("a trace counts memory", () => {
  const counters = chromeTrace(profile).traceEvents.filter(({ ph }) => ph === "C");
  const live = counters.filter(({ name }) => name === "live activations");
  assert.equal(live.length, recorded.length);
  const weights = counters.find(({ name }) => name === "memory: weights");
  const numbers = subject.model.parameters.reduce((sum, one) => sum + bytesOf(one), 0);
  assert.ok(Number(weights!.args!["bytes"]) >= numbers);
});
