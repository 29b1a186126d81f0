import assert from "node:assert/strict";
import { after, test } from "node:test";
import { decodeAttention, type DecodeAttentionProblem } from "../../engine/ops/decode_attention.ts";
import { fewRows, type FewRowsProblem } from "../../engine/ops/few_rows.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { sizeOf, type Tensor } from "../../engine/tensor.ts";
import { keyOf, type Choice, type Tunable } from "../../engine/tuning/tunable.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const [flat, tiled] = await Promise.all([
  openGpu({ variant: "flat" }),
  openGpu({ variant: "tiled" }),
]);
after(() => [flat, tiled].forEach((gpu) => gpu.destroy()));

// Sums of 70 products of numbers below 1, and softmax over 200 keys, in several orders.
const TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

/** What a problem's recording gives with a choice. */
async function resultOf<Problem>(
  gpu: typeof flat,
  tunable: Tunable<Problem>,
  { problem, choice }: { problem: Problem; choice: Choice },
): Promise<Float32Array> {
  const choices = new Map([[keyOf(tunable, problem), choice]]);
  const { variant, subgroupSize, traits } = gpu;
  const tape = new Tape({ variant, subgroupSize, traits, choices });
  let seed = 0;
  tunable.record(tape, problem, (shape, { dtype = "f32", values } = {}): Tensor => {
    seed += 1;
    const given = values?.() ?? uniform(sizeOf(shape), seed);
    return gpu.tensor(shape, { label: "operand", dtype, values: given });
  });
  const { buffers, constants } = tape.dispatches.at(-1)!;
  const y = buffers["y"] ?? buffers["sums"]!;
  // What was chosen is what is run: a choice that changes nothing would be no choice.
  for (const [name, value] of Object.entries(choice)) {
    const known = (constants as Record<string, unknown>)[name];
    if (known !== undefined && name !== "columns") assert.equal(known, value, name);
  }
  const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
  plan.run();
  const [result] = await plan.read(y);
  plan.destroy();
  return result!;
}

for (const [way, gpu, count] of [
  ["flat", flat, 4],
  // Where there are no subgroups, the ways with them are not there either.
  ["tiled", tiled, tiled.subgroupSize > 0 ? 12 : 9],
] as const) {
  test(`every way to multiply few rows gives the same result within rounding, ${way}`, async () => {
    const problem: FewRowsProblem = {
      weight: "f32",
      depth: 70,
      numColumns: [21, 6, 9],
      gated: false,
      norm: "rmsNorm",
    };
    const candidates = fewRows.candidates(gpu, problem);
    assert.ok(candidates.length >= count, `got ${candidates.length}`);
    // Of the many on GPUs: the default, in subgroups, and each width and count once.
    const chosen = candidates.filter((_, i) => i === 0 || way === "flat" || i % 5 === 0);
    const expected = await resultOf(gpu, fewRows, { problem, choice: candidates[0]! });
    assert.ok(expected.some((value) => Math.abs(value) > 0.1));
    const last = candidates.at(-1)!;
    for (const choice of [...chosen.slice(1), last]) {
      const result = await resultOf(gpu, fewRows, { problem, choice });
      assertClose(result, expected, { what: JSON.stringify(choice), ...TOLERANCE });
    }
    if (way === "tiled" && gpu.subgroupSize > 0) assert.equal(last["subgroups"], true);
  });

  test(`every split of decode attention gives the same result within rounding, ${way}`, async () => {
    const problem: DecodeAttentionProblem = {
      capacity: 200,
      numHeads: 2,
      numKvHeads: 1,
      headDim: 8,
      storage: "f32",
      cacheStorage: "f32",
    };
    const candidates = decodeAttention.candidates(gpu, problem);
    assert.deepEqual(
      candidates.map(({ splitLength }) => splitLength),
      way === "flat" ? [512, 64, 128, 256] : [128, 64, 256],
    );
    const results = [];
    for (const choice of candidates) {
      results.push(await resultOf(gpu, decodeAttention, { problem, choice }));
    }
    for (const result of results) {
      assertClose(result, results[0]!, { what: "attention", ...TOLERANCE });
    }
  });
}

test("choices of decoding do not depend on how many rows are decoded", () => {
  const problem: FewRowsProblem = {
    weight: "int4",
    depth: 2048,
    numColumns: [8192, 8192],
    gated: true,
    norm: "rmsNorm",
  };
  assert.equal(keyOf(fewRows, problem), "fewRows int4 gated rmsNorm n8192+n8192 k2048");
  const near = { ...problem, depth: 2100, numColumns: [8000, 8000] };
  assert.equal(keyOf(fewRows, near), keyOf(fewRows, problem));
});
