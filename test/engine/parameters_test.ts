import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  ADAM_W_SCHEDULE_LENGTH,
  adamWSchedule,
  adamWStates,
  adamWStep,
} from "../../engine/ops/adam_w.ts";
import { clipGradients } from "../../engine/ops/clip_gradients.ts";
import { besideParameters, packParameters, runsOf } from "../../engine/parameters.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { byteOffsetOf, destroyAll, type Parameter, rootOf, sizeOf } from "../../engine/tensor.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

/** Lengths that fill no alignment, vectors among matrices. */
const SPECS = [
  { label: "a", shape: [3, 5] },
  { label: "b", shape: [7] },
  { label: "c", shape: [9, 16] },
  { label: "d", shape: [1] },
  { label: "e", shape: [64, 1] },
];
const WEIGHT_DECAY = 0.1;
const isMatrix = ({ shape }: { readonly shape: readonly number[] }) => shape.length > 1;

test("packed parameters share one buffer, matrices first, and overlap nowhere", () => {
  const parameters = packParameters(gpu, SPECS);
  assert.deepEqual(
    parameters.map(({ label, shape }) => ({ label, shape })),
    SPECS,
  );
  assert.equal(new Set(parameters.map(rootOf)).size, 1);
  assert.equal(new Set(parameters.map(({ gradient }) => rootOf(gradient))).size, 1);
  const byPlace = parameters.toSorted((one, other) => byteOffsetOf(one) - byteOffsetOf(other));
  assert.deepEqual(
    byPlace.map(({ label }) => label),
    ["a", "c", "e", "b", "d"],
  );
  byPlace.forEach((parameter, index) => {
    assert.equal(byteOffsetOf(parameter) % 256, 0);
    assert.equal(byteOffsetOf(parameter.gradient), byteOffsetOf(parameter));
    const next = byPlace[index + 1];
    if (next === undefined) return;
    const end = byteOffsetOf(parameter) + 4 * sizeOf(parameter.shape);
    assert.ok(end <= byteOffsetOf(next), `${parameter.label} reaches into ${next.label}`);
  });
  destroyAll([...parameters, ...parameters.map(({ gradient }) => gradient)]);
});

test("values written to packed parameters come back, each its own", async () => {
  const parameters = packParameters(gpu, SPECS);
  const values = SPECS.map(({ shape }, index) => uniform(sizeOf(shape), index));
  parameters.forEach((parameter, index) => gpu.write(parameter, values[index]!));
  for (const [index, parameter] of parameters.entries()) {
    assert.deepEqual(await gpu.read(parameter), values[index]);
  }
  destroyAll(parameters);
});

test("gradients are allocated when the first of them is asked for", () => {
  const before = gpu.allocatedBytes;
  const parameters = packParameters(gpu, SPECS);
  const weights = gpu.allocatedBytes - before;
  assert.ok(parameters[3]!.gradient.view !== undefined);
  assert.equal(gpu.allocatedBytes - before, 2 * weights);
  assert.equal(rootOf(parameters[0]!.gradient), rootOf(parameters[3]!.gradient));
  destroyAll([...parameters, parameters[0]!.gradient]);
  assert.equal(gpu.allocatedBytes, before);
});

test("what one binding cannot hold is packed into several buffers", async () => {
  const small = await openGpu({ maxBindingBytes: 1024 });
  const parameters = packParameters(small, [
    { label: "large", shape: [20, 32] }, // 2,560 bytes: alone, and more than a binding
    ...SPECS,
  ]);
  const roots = new Map(parameters.map((one) => [one.label, rootOf(one)]));
  assert.equal(roots.get("large"), parameters[0], "it is no view");
  for (const parameter of parameters.slice(1)) {
    assert.ok(4 * sizeOf(rootOf(parameter).shape) <= 1024, parameter.label);
  }
  assert.equal(roots.get("a"), roots.get("c"));
  small.destroy();
});

test("runs end where decay changes, memory ends, or a neighbor is missing", () => {
  const [a, b, c, d, e] = packParameters(gpu, SPECS);
  const labels = (items: readonly (typeof a)[]) =>
    runsOf(
      items.map((item) => item!),
      (item) => [item, item.gradient],
      (one, other) => isMatrix(one) === isMatrix(other),
    ).map(({ first, spans }) => [first.label, ...spans.map(({ shape }) => shape[0])]);
  // a takes 15 of 64 elements, c 144 of 192, e 64 of 64, b 7 of 64, d 1.
  assert.deepEqual(labels([d, b, e, c, a]), [
    ["a", 320, 320],
    ["b", 65, 65],
  ]);
  assert.deepEqual(labels([a, e, b]), [
    ["a", 15, 15],
    ["e", 64, 64],
    ["b", 7, 7],
  ]);
  const other = gpu.parameter([4, 4], { label: "other" });
  assert.deepEqual(labels([other, a]), [
    ["other", 16, 16],
    ["a", 15, 15],
  ]);
  destroyAll([a!, other]);
});

test("runs end where any tensor of an item lies elsewhere than behind its neighbor's", () => {
  const [a, , c] = packParameters(gpu, SPECS) as [Parameter, Parameter, Parameter];
  const moments = [a, c].map(({ shape, label }) => gpu.tensor(shape, { label }));
  const runs = runsOf([0, 1], (index) => [[a, c][index]!, moments[index]!]);
  assert.deepEqual(
    runs.map(({ spans }) => spans),
    runsOf([0], () => [a, moments[0]!])
      .concat(runsOf([1], () => [c, moments[1]!]))
      .map(({ spans }) => spans),
  );
  assert.equal(runsOf([a, c], (one) => [one]).length, 1, "they are neighbors themselves");
  destroyAll([a, ...moments]);
});

test("a step of packed parameters moves them as it moves them one by one, to the bit", async () => {
  const packed = packParameters(gpu, SPECS);
  const single = SPECS.map(({ shape, label }) => gpu.parameter(shape, { label }));
  const take = async (parameters: typeof packed) => {
    parameters.forEach((parameter, index) => {
      gpu.write(parameter, uniform(sizeOf(parameter.shape), index));
      gpu.write(parameter.gradient, uniform(sizeOf(parameter.shape), 50 + index));
    });
    const tape = new Tape(gpu);
    const maxNorm = gpu.tensor([1], { label: "maxNorm", values: Float32Array.of(0.5) });
    const clip = clipGradients(tape, parameters, maxNorm);
    const scale = gpu.tensor([3], { label: "clip", values: Float32Array.of(0.5, 0, 1) });
    const schedule = gpu.tensor([ADAM_W_SCHEDULE_LENGTH], {
      label: "schedule",
      values: adamWSchedule({ learningRate: 0.01, step: 1 }),
    });
    const states = adamWStates(gpu, parameters);
    const updates = parameters.map((parameter, index) => ({
      parameter,
      state: states[index]!,
      weightDecay: isMatrix(parameter) ? WEIGHT_DECAY : 0,
    }));
    adamWStep(tape, updates, { schedule, clip: scale });
    const plan = await new Plan(gpu, tape, { keep: [clip] }).compile();
    plan.run();
    const tensors = updates.flatMap(({ parameter, state: { m, v } }) => [
      parameter,
      parameter.gradient,
      m,
      v,
    ]);
    const [norm] = await plan.read(clip);
    const state = await Promise.all(tensors.map((tensor) => gpu.read(tensor)));
    const { numDispatchesByKernel } = plan.describe();
    plan.destroy();
    return { norm: norm![2]!, state, dispatches: numDispatchesByKernel["adamW"] };
  };
  const [one, other] = [await take(packed), await take(single)];
  assert.deepEqual(one.state, other.state);
  // Sums of squares are cut at other places, so that the norm may differ in its last bits.
  assertClose([one.norm], [other.norm], { what: "norm", rtol: 1e-6, atol: 0 });
  assert.equal(one.dispatches, 2, "matrices, and vectors");
  assert.equal(other.dispatches, SPECS.length);
  destroyAll([...packed, ...single]);
});

test("moments beside packed parameters are zeros at the same places", async () => {
  const parameters = packParameters(gpu, SPECS);
  const moments = besideParameters(gpu, parameters, {
    purpose: "optimizer",
    name: (label) => `${label}.m`,
  });
  for (const [index, moment] of moments.entries()) {
    assert.equal(moment.label, `${SPECS[index]!.label}.m`);
    assert.equal(byteOffsetOf(moment), byteOffsetOf(parameters[index]!));
    assert.ok((await gpu.read(moment)).every((value) => value === 0));
  }
  destroyAll([...parameters, ...moments]);
});
