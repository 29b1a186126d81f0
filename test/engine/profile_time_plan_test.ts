import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Gpu } from "../../engine/gpu.ts";
import { linear } from "../../engine/ops/linear.ts";
import { Plan } from "../../engine/plan.ts";
import { median, timePlan } from "../../engine/profile/time_plan.ts";
import { hasTimestamps, resolutionMs, timePasses } from "../../engine/profile/timestamps.ts";
import { Tape } from "../../engine/tape.ts";
import { openGpu, openTestAdapter } from "../support.ts";
import { withoutTimestamps } from "./without_timestamps.ts";

const gpu = await openGpu();
const bare = await Gpu.open(withoutTimestamps(await openTestAdapter()));
after(() => {
  gpu.destroy();
  bare.destroy();
});

/** A plan whose weight's gradient grows by the same amount at each replay. */
async function countingPlan(device: Gpu) {
  const x = device.tensor([1, 1], { label: "x", values: Float32Array.of(1) });
  const weight = device.parameter([1, 1], { label: "weight", values: Float32Array.of(1) });
  const tape = new Tape(device);
  const y = linear(tape, x, weight);
  tape.backward(y, device.tensor([1, 1], { label: "dy", values: Float32Array.of(1) }));
  const plan = await new Plan(device, tape, { keep: [y] }).compile();
  return { plan, weight };
}

test("the median of an even count lies between the middle two", () => {
  assert.equal(median([4, 1, 2, 9]), 3);
  assert.equal(median([5, 1, 3]), 3);
  assert.equal(median([7]), 7);
});

test("timePlan() asks the device's clock where it is fine enough, and the host's where not", async () => {
  const { plan } = await countingPlan(gpu);
  const resolution = await resolutionMs(gpu);
  assert.ok(resolution > 0 && resolution < 1, `resolution must be below 1 ms, got ${resolution}`);
  const fine = await timePlan(gpu, plan, { rounds: 3, minMs: Math.max(1, 100 * resolution) });
  assert.equal(fine.clock, "timestamps");
  const coarse = await timePlan(gpu, plan, { rounds: 3, minMs: 20 * resolution });
  assert.equal(coarse.clock, "wall");
  assert.ok(fine.ms > 0, `a replay must take time, got ${fine.ms} ms`);
  for (const { ms, rounds } of [fine, coarse]) {
    assert.equal(rounds.length, 3);
    assert.equal(ms, median(rounds));
  }
});

test("timePlan() times by the wall clock on a device without timestamps", async () => {
  assert.equal(hasTimestamps(bare), false);
  assert.equal(await resolutionMs(bare), Infinity);
  const { plan } = await countingPlan(bare);
  const { clock, ms } = await timePlan(bare, plan, { rounds: 2, minMs: 1 });
  assert.equal(clock, "wall");
  assert.ok(ms > 0);
  await assert.rejects(timePasses(bare, [() => {}]), /must have timestamp-query/);
});

test("timePlan() replays all plans in a round, equally often", async () => {
  const [one, other] = [await countingPlan(gpu), await countingPlan(gpu)];
  await timePlan(gpu, [one.plan, other.plan], { rounds: 2, minMs: 7 });
  const [[count], [otherCount]] = [
    await gpu.read(one.weight.gradient),
    await gpu.read(other.weight.gradient),
  ];
  assert.ok(count! > 2, `expected a warm-up and two rounds, got ${count} replays`);
  assert.equal(count, otherCount);
});

test("timePlan() begins no round after its time is up", async () => {
  const { plan } = await countingPlan(gpu);
  const { rounds } = await timePlan(gpu, plan, { rounds: 50, minMs: 7, maxMs: 1e-3 });
  assert.equal(rounds.length, 1);
});

test("timePlan() refuses to measure nothing", async () => {
  const { plan } = await countingPlan(gpu);
  await assert.rejects(timePlan(gpu, plan, { rounds: 0 }), RangeError);
  await assert.rejects(timePlan(gpu, plan, { minMs: 0 }), RangeError);
});

test("timePasses() orders passes, more than a set of queries holds", async () => {
  const times = await timePasses(
    gpu,
    Array.from({ length: 2049 }, () => () => {}),
  );
  assert.equal(times.length, 2049);
  times.forEach(({ beginMs, endMs }, index) => {
    assert.ok(beginMs <= endMs, `pass ${index} ends before it begins`);
    assert.ok(index === 0 || beginMs >= times[index - 1]!.endMs, `pass ${index} overlaps`);
  });
});
