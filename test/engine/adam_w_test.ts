import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import {
  ADAM_W_SCHEDULE_LENGTH,
  adamWSchedule,
  adamWStates,
  adamWStep,
} from "../../engine/ops/adam_w.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { adamWReference, type AdamWReferenceState } from "../reference/adam_w.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Twenty steps, each with some five roundings at 6e-8 of moments, and at 6e-8 · |p| of p.
const TOLERANCE = { rtol: 4e-6, atol: 1e-7 };
const HYPER = { beta1: 0.9, beta2: 0.95, eps: 1e-8 };

/** A parameter of `values` with a plan of one step; `clip` is `[scale, nonFinite, norm]`. */
async function prepare(
  values: Float32Array<ArrayBuffer>,
  weightDecay: number,
  variant: Variant = "flat",
) {
  const parameter = gpu.parameter([values.length], { label: "p", values });
  const state = adamWStates(gpu, [parameter])[0]!;
  const schedule = gpu.tensor([ADAM_W_SCHEDULE_LENGTH], { label: "schedule" });
  const clip = gpu.tensor([3], { label: "clip", values: new Float32Array([1, 0, 1]) });
  const tape = new Tape({ variant, subgroupSize: gpu.subgroupSize });
  adamWStep(tape, [{ parameter, state, weightDecay }], { schedule, clip });
  const plan = await new Plan(gpu, tape).compile();
  const read = async () => ({
    p: await gpu.read(parameter),
    m: await gpu.read(state.m),
    v: await gpu.read(state.v),
    gradient: await gpu.read(parameter.gradient),
  });
  return { parameter, schedule, clip, plan, read };
}

for (const [length, weightDecay] of [
  [1, 0.1],
  [64, 0],
  [77, 0.1],
] as const) {
  test(`adamWStep() on ${length} elements with decay ${weightDecay} follows float64 for 20 steps`, async () => {
    const values = uniform(length, 1);
    const { parameter, schedule, clip, plan, read } = await prepare(values, weightDecay);
    let expected: AdamWReferenceState = {
      p: Float64Array.from(values),
      m: new Float64Array(length),
      v: new Float64Array(length),
    };
    for (let step = 1; step <= 20; step++) {
      const gradient = uniform(length, 10 + step);
      const scale = step % 3 === 0 ? 0.25 : 1;
      const learningRate = 0.01 / step;
      gpu.write(parameter.gradient, gradient);
      gpu.write(schedule, adamWSchedule({ ...HYPER, learningRate, step }));
      gpu.write(clip, new Float32Array([scale, 0, 1]));
      plan.run();
      expected = adamWReference(
        expected,
        Float64Array.from(gradient, (value) => value * scale),
        { ...HYPER, learningRate, step, weightDecay },
      );
    }
    const actual = await read();
    for (const name of ["p", "m", "v"] as const) {
      assertClose(actual[name], expected[name], { what: name, ...TOLERANCE });
    }
    assert.deepEqual(actual.gradient, new Float32Array(length), "the gradient is cleared");
    plan.destroy();
  });
}

test("adamWStep() takes a first step of the learning rate, whatever the gradient's size", async () => {
  const { parameter, schedule, plan, read } = await prepare(new Float32Array(3), 0.5);
  gpu.write(parameter.gradient, new Float32Array([1e-3, -1e3, 0]));
  gpu.write(schedule, adamWSchedule({ learningRate: 0.125, step: 1 }));
  plan.run();
  const { p } = await read();
  assertClose(p, [-0.125, 0.125, 0], { what: "p", rtol: 2e-5, atol: 0 });
  plan.destroy();
});

test("adamWStep() leaves weights and moments alone where gradients are not finite", async () => {
  const values = uniform(5, 1);
  const { parameter, schedule, clip, plan, read } = await prepare(values, 0.1);
  const step = async (gradient: number[], flag: number) => {
    gpu.write(parameter.gradient, new Float32Array(gradient));
    gpu.write(schedule, adamWSchedule({ learningRate: 0.1, step: 1 }));
    gpu.write(clip, new Float32Array([flag === 0 ? 1 : 0, flag, 0]));
    plan.run();
    return read();
  };
  const before = await step([1, 2, 3, 4, 5], 0);
  assert.notDeepEqual(before.p, values);
  const skipped = await step([NaN, Infinity, -Infinity, 1, 0], 1);
  assert.deepEqual(skipped, before);
  plan.destroy();
});

test("adamWStep() reaches elements beyond 65 535 workgroups", async () => {
  const length = 65_537 * 64;
  const { parameter, schedule, plan, read } = await prepare(new Float32Array(length), 0, "tiled");
  gpu.write(parameter.gradient, new Float32Array(length).fill(1));
  gpu.write(schedule, adamWSchedule({ learningRate: 0.5, step: 1 }));
  plan.run();
  const { p, gradient } = await read();
  assertClose(p.subarray(-64), new Float32Array(64).fill(-0.5), { what: "p", rtol: 1e-6, atol: 0 });
  assert.ok(gradient.every((value) => value === 0));
  plan.destroy();
});

test("adamWSchedule() and adamWStep() refuse what does not fit", async () => {
  assert.throws(() => adamWSchedule({ learningRate: 1, step: 0 }), {
    name: "RangeError",
    message: "Cannot schedule AdamW: steps must count from 1, got 0",
  });
  assert.throws(() => adamWSchedule({ learningRate: 1, step: 1, beta2: 1 }), {
    name: "RangeError",
    message: "Cannot schedule AdamW: decays must lie in [0, 1), got 1",
  });
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const parameter = gpu.parameter([2], { label: "p" });
  const state = adamWStates(gpu, [gpu.parameter([3], { label: "other" })])[0]!;
  const schedule = gpu.tensor([ADAM_W_SCHEDULE_LENGTH], { label: "schedule" });
  const clip = gpu.tensor([3], { label: "clip" });
  assert.throws(() => adamWStep(tape, [{ parameter, state, weightDecay: 0 }], { schedule, clip }), {
    name: "RangeError",
    message: 'Cannot update "p": m must be [2] f32, got [3] f32',
  });
  const half = gpu.parameter([3], { label: "p", dtype: "f16" });
  assert.throws(
    () => adamWStep(tape, [{ parameter: half, state, weightDecay: 0 }], { schedule, clip }),
    {
      name: "TypeError",
      message: 'Cannot update "p": trained parameters must be f32, got [3] f16',
    },
  );
});
