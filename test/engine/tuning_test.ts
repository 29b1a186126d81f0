import assert from "node:assert/strict";
import { after, test } from "node:test";
import { contest, countMeasurements } from "../../engine/tuning/contest.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { tune, type TuningProgress } from "../../engine/tuning/tune.ts";
import { choose, keyOf } from "../../engine/tuning/tunable.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { ask, fakeTimer, lanesOf, openGpuOf, recordSquares, squares } from "./tuning_case.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** A contest over times by entrant; an array is gone through, undefined drops out. */
function contestOf(times: readonly (number | undefined | readonly number[])[], rounds = 5) {
  const asked: number[] = [];
  const counts = times.map(() => 0);
  const time = async (entrant: number) => {
    asked.push(entrant);
    const each = times[entrant];
    return typeof each === "object" ? each[counts[entrant]!++ % each.length] : each;
  };
  return contest(times.length, time, { rounds }).then((outcome) => ({ ...outcome, asked }));
}

test("contest() takes the fastest, if it is clearly faster than the default", async () => {
  assert.equal((await contestOf([10, 9, 5, 7, 6, 12, 11, 8])).winner, 2);
  assert.equal((await contestOf([10, 9.8, 9.9])).winner, 0); // within 3 %
  assert.equal((await contestOf([10, 9.6, 9.9])).winner, 1);
  assert.equal((await contestOf([10])).winner, 0);
});

test("contest() stays with the default where the noise is as large as the gain", async () => {
  const noisy = [9, 14, 8, 15, 10];
  assert.equal((await contestOf([noisy, 8.5])).winner, 0);
  assert.equal((await contestOf([[10.05, 9.95, 10], 8.5])).winner, 1);
});

test("contest() is not fooled by one lucky measurement", async () => {
  const lucky = [1, 20, 20, 20, 20, 20];
  assert.equal((await contestOf([10, lucky, 9, 8])).winner, 3);
});

test("contest() measures the best few more often, in turns, and the default always", async () => {
  const times = [50, ...Array.from({ length: 15 }, (_, i) => 10 + i)];
  const { asked, winner } = await contestOf(times, 4);
  assert.equal(winner, 1);
  assert.deepEqual(asked.slice(0, 16), [...times.keys()]);
  assert.deepEqual(asked.slice(16, 26), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  const last = asked.slice(26);
  assert.deepEqual(last, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
  assert.equal(asked.length, countMeasurements(16, 4));
});

test("contest() goes on without those that drop out, the default among them", async () => {
  assert.equal((await contestOf([undefined, 9, 8])).winner, 2);
  assert.equal((await contestOf([10, undefined, undefined])).winner, 0);
  assert.equal((await contestOf([undefined, undefined])).winner, undefined);
});

test("tune() chooses what the timer says is fastest, and frees its memory", async () => {
  const tunable = squares();
  const before = gpu.allocatedBytes;
  const timer = fakeTimer({ 8: 4, 16: 3, 32: 1, 64: 2 });
  const { results, skipped } = await tune(gpu, [ask(tunable, 100), ask(tunable, 120)], { timer });
  assert.equal(results.length, 1, "both lie in one bucket");
  assert.equal(skipped.size, 0);
  const [{ key, choice, ms, defaultMs, isDefault, clock, candidates }] = results as [
    (typeof results)[number],
  ];
  assert.deepEqual([key, choice, ms, defaultMs], ["squares n128", { lanes: 32 }, 1, 4]);
  assert.deepEqual([isDefault, clock], [false, "wall"]);
  assert.deepEqual(
    candidates.map((each) => each.ms),
    [4, 3, 1, 2],
  );
  assert.equal(gpu.allocatedBytes, before);
});

test("tune() measures on the device, too", async () => {
  const { results } = await tune(gpu, [ask(squares({ lanes: [8, 16] }), 1000)], {
    rounds: 2,
    minMs: 1,
  });
  for (const { ms } of results[0]!.candidates) assert.ok(ms! > 0 && ms! < 1000);
});

test("tune() throws out candidates that fail or are wrong, with the reason", async () => {
  const tunable = squares({
    lanes: [8, 16, 32, 64, 128],
    faults: { 16: "wrong", 32: "broken", 64: "unbound", 128: "large" },
  });
  const times = fakeTimer({ 8: 10, 16: 1, 32: 1, 64: 1, 128: 1 });
  const { results } = await tune(gpu, [ask(tunable, 64)], { timer: times });
  const [{ choice, candidates }] = results as [(typeof results)[number]];
  assert.deepEqual(choice, { lanes: 8 });
  const reasons = candidates.map(({ rejected = "" }) => rejected);
  assert.equal(reasons[0], "");
  assert.match(
    reasons[1]!,
    /^results differ: "y \[64\] f32" must lie within .* of the default's, got 2\.5e-1 off$/,
  );
  assert.match(reasons[2]!, /^Cannot compile squares\(.*/);
  assert.match(reasons[3]!, /offset|Offset/);
  assert.match(reasons[4]!, /bytes/);
  gpu.check(); // the device is none the worse for it
});

test("tune() takes another where the default itself fails", async () => {
  const tunable = squares({ lanes: [8, 16], faults: { 8: "broken" } });
  const { results } = await tune(gpu, [ask(tunable, 64)], { timer: fakeTimer({}) });
  assert.deepEqual([results[0]!.choice, results[0]!.defaultMs], [{ lanes: 16 }, undefined]);
  const none = squares({ lanes: [8], faults: { 8: "broken" } });
  const { skipped } = await tune(gpu, [ask(none, 64)], { timer: fakeTimer({}) });
  assert.match(skipped.get("squares n64")!, /^no way to compute it worked: Cannot compile/);
});

test("tune() measures a smaller problem where one exceeds the memory", async () => {
  const small = await openGpuOf(2 ** 20);
  try {
    const timer = fakeTimer({ 8: 2, 16: 1 });
    const options = { lanes: [8, 16], canHalve: true };
    const { results } = await tune(small, [ask(squares(options), 2 ** 20)], { timer });
    assert.equal(results[0]!.key, `squares n${2 ** 20}`);
    assert.deepEqual(results[0]!.choice, { lanes: 16 });
    assert.deepEqual(results[0]!.question.problem, { length: 2 ** 17 });
    const whole = squares({ lanes: [8, 16] });
    const { skipped } = await tune(small, [ask(whole, 2 ** 20)], { timer });
    assert.match([...skipped.values()][0]!, /^Cannot hold "x" \[1048576\] f32/);
    assert.equal(small.allocatedBytes, 0);
  } finally {
    small.destroy();
  }
});

test("tune() can be stopped, keeps what it told, and ends within its budget", async () => {
  const [one, two] = [squares({ name: "one" }), squares({ name: "two" })];
  const controller = new AbortController();
  const told: string[] = [];
  const tuning = tune(gpu, [ask(one, 8), ask(two, 8)], {
    timer: fakeTimer({}),
    signal: controller.signal,
    onResult: ({ key }) => {
      told.push(key);
      controller.abort(new Error("enough"));
    },
  });
  await assert.rejects(tuning, /enough/);
  assert.deepEqual(told, ["one n8"]);
  const { results, skipped } = await tune(gpu, [ask(one, 8)], { budgetMs: 0 });
  assert.deepEqual([results.length, skipped.get("one n8")], [0, "there was no time left"]);
});

test("tune() tells how far it has come", async () => {
  const progress: TuningProgress[] = [];
  const questions = [ask(squares({ name: "one" }), 8), ask(squares({ name: "two" }), 8)];
  const onProgress = (each: TuningProgress) => void progress.push(each);
  await tune(gpu, questions, { timer: fakeTimer({}), rounds: 2, onProgress });
  const numEach = countMeasurements(4, 2);
  assert.deepEqual(
    progress.map(({ done, total }) => [done, total]),
    Array.from({ length: 2 * numEach }, (_, i) => [i + 1, 2 * numEach]),
  );
  assert.equal(progress.at(-1)!.leftMs, 0);
});

test("a choice changes what runs, and neither results nor bits", async () => {
  const tunable = squares();
  const values = uniform(100, 1);
  const x = gpu.tensor([100], { label: "x", values });
  const run = async (lanes: number) => {
    const choices = new Map([[keyOf(tunable, { length: 100 }), { lanes }]]);
    const { variant, subgroupSize, traits } = gpu;
    const tape = new Tape({ variant, subgroupSize, traits, choices });
    const y = recordSquares(tape, { tunable, x });
    assert.deepEqual(tape.dispatches[0]!.workgroups, Math.ceil(100 / lanes));
    const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
    plan.run();
    const [result] = await plan.read(y);
    plan.destroy();
    return result!;
  };
  const [first, again, other] = [await run(64), await run(64), await run(8)];
  assert.deepEqual(first, again);
  assertClose(other, first, { what: "squares", rtol: 1e-6, atol: 0 }); // one rounding each
});

test("choose() ignores a choice that is no longer a candidate", () => {
  const tunable = squares({ lanes: [8, 16] });
  const choices = new Map([[keyOf(tunable, { length: 8 }), { lanes: 64 }]]);
  const { variant, subgroupSize, traits } = gpu;
  const choice = choose({ variant, subgroupSize, traits, choices }, tunable, { length: 8 });
  assert.equal(lanesOf(choice), 8);
});
