import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { GpuOptions } from "../../engine/gpu.ts";
import { fewRows, type FewRowsProblem } from "../../engine/ops/few_rows.ts";
import { fusedProjection } from "../../engine/ops/fused_projection.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { LEAST_TRAITS } from "../../engine/tuning/traits.ts";
import { type Choice, keyOf } from "../../engine/tuning/tunable.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { type FusedCase, fusedReference, runFused } from "./fused_case.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  flat: { variant: "flat" },
  "flat without subgroups": { variant: "flat", subgroups: false },
  tiled: { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
after(() => gpus.forEach(([, gpu]) => gpu.destroy()));

// Dot products of up to 100 normalized terms of some 2: f32 rounds each partial sum, of up to 40.
const TOLERANCE = { rtol: 3e-6, atol: 3e-5 };

/** Every storage meets odd widths and whole runs, one row and many; every fusion meets each kernel. */
const CASES: readonly FusedCase[] = [
  { dtype: "f32", numRows: 1, dIn: 64, dOut: [64, 32, 32], norm: "rmsNorm" },
  { dtype: "f32", numRows: 2, dIn: 37, dOut: [19, 5, 7], norm: "rmsNorm" },
  { dtype: "f32", numRows: 8, dIn: 36, dOut: [30], bias: true, residual: true },
  { dtype: "f16", numRows: 2, dIn: 70, dOut: [45, 45], norm: "rmsNorm", activation: "swiGlu" },
  { dtype: "f16", numRows: 1, dIn: 33, dOut: [3], norm: "layerNorm", activation: "gelu" },
  { dtype: "bf16", numRows: 2, dIn: 72, dOut: [9, 70, 1], bias: true },
  { dtype: "bf16", numRows: 1, dIn: 96, dOut: [50], residual: true },
  {
    dtype: "int8",
    numRows: 3,
    dIn: 99,
    dOut: [34],
    norm: "layerNorm",
    shift: true,
    bias: true,
    activation: "geluTanh",
  },
  { dtype: "int8", numRows: 1, dIn: 64, dOut: [40, 8, 8], norm: "rmsNorm" },
  { dtype: "int4", numRows: 1, dIn: 100, dOut: [33], residual: true, bias: true },
  {
    dtype: "int4",
    numRows: 2,
    dIn: 64,
    dOut: [20, 20],
    norm: "layerNorm",
    shift: true,
    bias: true,
    activation: "swiGlu",
  },
  { dtype: "f32", numRows: 1, dIn: 1, dOut: [1], norm: "rmsNorm", activation: "silu" },
];

/** Without subgroups, large tiles take a software adapter seconds to compile. */
const casesOf = (way: string) =>
  CASES.filter(({ numRows }) => way !== "flat without subgroups" || numRows <= 2);

for (const [way, gpu] of gpus) {
  for (const dtype of ["f32", "f16", "bf16", "int8", "int4"]) {
    test(`fusedProjection() ${way} of ${dtype} weights matches float64, and again in every bit`, async () => {
      const cases = casesOf(way).filter((one) => one.dtype === dtype);
      const results = await runFused(gpu, cases);
      cases.forEach((at, index) => {
        const what = `fusion ${index}`;
        assertClose(results[index]!, fusedReference(at), { what, ...TOLERANCE });
      });
      assert.deepEqual(await runFused(gpu, cases), results);
    });
  }

  if (way === "tiled") continue;
  test(`fusedProjection() ${way} has the bits of the ops that it stands for`, async () => {
    const cases = casesOf(way);
    const alone = await runFused(gpu, cases, { fused: false });
    assert.deepEqual(await runFused(gpu, cases), alone);
  });
}

test("fusedProjection() flat reaches every column once beyond 65 535 workgroups", async () => {
  const [, gpu] = gpus[0]!;
  const width = 65_600 * 8 * 2; // of subgroups of 8 lanes, each of which takes 2 columns
  const weight = uniform(width, 1);
  const tape = new Tape(gpu);
  const y = fusedProjection(tape, {
    x: gpu.tensor([1, 1], { label: "x", values: Float32Array.of(2) }),
    by: [{ weight: gpu.tensor([width, 1], { label: "weight", values: weight }) }],
  });
  if (gpu.subgroupSize <= 8) assert.ok(tape.dispatches[0]!.workgroups > 65_535);
  const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
  plan.run();
  const [found] = await plan.read(y);
  plan.destroy();
  assert.deepEqual(
    found,
    weight.map((value) => 2 * value),
  );
});

test("fusedProjection() gives a row the same bits whatever rows lie beside it", async () => {
  const all: FusedCase = { ...CASES[2]!, norm: "rmsNorm" };
  for (const [way, gpu] of gpus) {
    if (way === "flat without subgroups") continue; // the code of the other, slow to compile
    const cases = [1, 2, 7].map((numRows) => ({ ...all, numRows }));
    const results = await runFused(gpu, cases);
    for (const result of results) {
      assert.deepEqual(result.subarray(0, 30), results[0]!, `${result.length / 30} rows`);
    }
  }
});

test("fusedProjection() refuses what does not fit, and says what it got", () => {
  const [, gpu] = gpus[0]!;
  const tensor = (...shape: number[]) => gpu.tensor(shape, { label: "x" });
  const record = (inputs: Partial<Parameters<typeof fusedProjection>[1]>) => () =>
    fusedProjection(new Tape(gpu), { x: tensor(2, 8), by: [{ weight: tensor(4, 8) }], ...inputs });
  record({})();
  assert.throws(record({ by: [{ weight: tensor(4, 7) }] }), {
    name: "RangeError",
    message:
      "Cannot project x [2, 8] f32: weights, biases, norm and residual must fit, " +
      'got weights [4, 7] f32 and activation "none"',
  });
  assert.throws(record({ residual: tensor(2, 8) }), RangeError);
  assert.throws(record({ activation: "swiGlu" }), RangeError);
  assert.throws(record({ x: tensor(9, 8) }), {
    name: "TypeError",
    message: /up to 8 rows of f32 .* got \[4, 8\] f32; use linear\(\)$/,
  });
  const halves = gpu.tensor([4, 8], { label: "weight", dtype: "f16" });
  assert.throws(record({ by: [{ weight: tensor(4, 8) }, { weight: halves }] }), TypeError);
});

test("fusedProjection() tiled declares no more workgroup memory than a device has, whatever is chosen", () => {
  const least = LEAST_TRAITS.maxWorkgroupBytes;
  const device = { variant: "tiled", subgroupSize: 0, traits: LEAST_TRAITS } as const;
  const tensor = (shape: readonly number[]): Tensor => {
    const about = { dtype: "f32", purpose: "inputs", needsGradient: false } as const;
    return { shape, label: "operand", ...about };
  };
  const by = [{ weight: tensor([64, 96]) }, { weight: tensor([64, 96]) }];
  const record = (choices: ReadonlyMap<string, Choice>) => {
    const tape = new Tape({ ...device, choices });
    // The norm needs memory beside that of the sums, which alone would just fit.
    const norm = { kind: "rmsNorm", weight: tensor([96]), eps: 1e-5 } as const;
    fusedProjection(tape, { x: tensor([8, 96]), norm, by, activation: "swiGlu" });
    return tape;
  };
  const problem = record(new Map()).questions.at(-1)!.problem as FewRowsProblem;
  const key = keyOf(fewRows, problem);
  let numFitted = 0;
  for (const choice of fewRows.candidates(device, problem)) {
    const { kernel, constants } = record(new Map([[key, choice]])).dispatches.at(-1)!;
    const code = kernel.code(constants as never);
    let bytes = 0;
    for (const [, type, count] of code.matchAll(/var<workgroup> \w+: array<(\w+), (\d+)>/g)) {
      bytes += Number(count) * (type === "vec4f" ? 16 : 4);
    }
    assert.ok(bytes > 0 && bytes <= least, `${JSON.stringify(choice)} declares ${bytes} bytes`);
    if ((constants as { columns: number }).columns !== choice["columns"]) numFitted += 1;
  }
  assert.ok(numFitted > 0, "some choice must be too large for 8 rows as it is");
});
