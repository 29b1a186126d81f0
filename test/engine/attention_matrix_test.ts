import assert from "node:assert/strict";
import { after, test } from "node:test";
import { causalAttention } from "../../engine/ops/attention.ts";
import { matrixAttention } from "../../engine/ops/attention_matrix.ts";
import { ATTENTION_FORWARD } from "../../engine/ops/attention_tunable.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { keyOf } from "../../engine/tuning/tunable.ts";
import { attentionMatrix } from "../../shaders/attention_matrix.wgsl.ts";
import { attentionSpans, chunksOfQueries } from "../../shaders/attention_spans.wgsl.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { attentionReference } from "../reference/attention.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { withoutFloat16 } from "./check_op.ts";
import { errorsOf, openNullDevice } from "./null_device.ts";

/** Shapes of matrices, `[m, n, k]`. */
const SHAPES = [
  [16, 16, 16],
  [16, 8, 16],
  [8, 16, 16],
  [8, 8, 8],
] as const;

const gpus = await Promise.all(
  SHAPES.map(([m, n, k]) => {
    const matrix = { m, n, k, subgroupSize: 16, emulated: true };
    return openGpu({ variant: "tiled", traits: { matrix, maxWorkgroupBytes: 32_768 } });
  }),
);
const device = await openNullDevice();
after(() => [...gpus, device].forEach((each) => each?.destroy()));
const skip = withoutFloat16(gpus[0]!);

/** Weights and results are rounded to halves: each by 2^-11 of itself, of values in [-2, 2). */
const TOLERANCE = { rtol: 2 ** -11, atol: 2 ** -10 };

/** Statistics are f32 throughout. */
const STATISTICS_TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

interface Case {
  readonly name: string;
  readonly sizes: readonly [numRows: number, seqLen: number, numHeads: number, numKvHeads: number];
  readonly headDim: number;
  readonly startOf: (t: number) => number;
  readonly endOf: (s: number) => number;
}

const CASES: readonly Case[] = [
  { name: "one token", sizes: [1, 1, 1, 1], headDim: 16, startOf: () => 0, endOf: () => 1 },
  {
    name: "two rows of grouped heads over several tiles",
    sizes: [2, 53, 2, 1],
    headDim: 32,
    startOf: () => 0,
    endOf: () => 53,
  },
  {
    name: "documents and a window",
    sizes: [1, 75, 1, 1],
    headDim: 16,
    startOf: (t) => Math.max(t < 20 ? 0 : 20, t - 9),
    endOf: (s) => (s < 20 ? 20 : 75),
  },
  {
    // Key 0 is seen by all, the others by the four tokens of their group.
    name: "trees that are over before a block begins",
    sizes: [1, 69, 1, 1],
    headDim: 16,
    startOf: () => 0,
    endOf: (s) => (s === 0 ? 69 : s + 4 - ((s - 1) % 4)),
  },
  {
    name: "queries that see no key",
    sizes: [1, 20, 1, 1],
    headDim: 16,
    startOf: () => 0,
    endOf: (s) => (s < 3 ? 0 : 20),
  },
];

/** Runs a case, and returns results and log-sum-exps with what they should be. */
async function run(
  on: (typeof gpus)[number],
  one: Case,
  choice: { subgroups: number; keys: number },
) {
  const { sizes, headDim, startOf, endOf } = one;
  const [numRows, seqLen, numHeads, numKvHeads] = sizes;
  const numTokens = numRows * seqLen;
  const halves = (label: string, heads: number, seed: number) => {
    const bits = toFloat16(uniform(numTokens * heads * headDim, seed).map((x) => 2 * x));
    const tensor = on.tensor([numTokens, heads * headDim], { label, dtype: "f16", values: bits });
    return { tensor, values: Float64Array.from(fromFloat16(bits.buffer, bits.length)) };
  };
  const [q, k, v] = [
    halves("q", numHeads, 1),
    halves("k", numKvHeads, 2),
    halves("v", numKvHeads, 3),
  ];
  const indices = (label: string, of: (at: number) => number) => {
    const values = Uint32Array.from({ length: numTokens }, (_, t) => of(t % seqLen));
    return on.tensor([numTokens], { label, dtype: "u32", values });
  };
  const tape = new Tape(on);
  const numChunks = numRows * chunksOfQueries(seqLen);
  const spans = tape.activation([2 * numTokens + numChunks], { label: "spans", dtype: "u32" });
  tape.dispatch(attentionSpans, {
    constants: { workgroupSize: 64, elementsPerLane: 1 },
    params: { numRows, seqLen },
    buffers: { starts: indices("starts", startOf), ends: indices("ends", endOf), spans },
    workgroups: Math.ceil(numChunks / 64),
  });
  const y = tape.activation([numTokens, numHeads * headDim], { label: "y", dtype: "f16" });
  const statistics = tape.activation([numTokens, numHeads, 2], { label: "statistics" });
  const params = { numRows, seqLen, numHeads, numKvHeads };
  const buffers = { q: q.tensor, k: k.tensor, v: v.tensor, spans, y, statistics };
  const problem = { ...params, headDim, storage: "f16" } as const;
  matrixAttention.forward(tape, { problem, buffers }, choice);
  const plan = await new Plan(on, tape, { keep: [y, statistics] }).compile();
  plan.run();
  const [bits, pairs] = await plan.read(y, statistics);
  plan.destroy();
  const visible = (_: number, t: number, s: number) => startOf(t) <= s && s <= t && t < endOf(s);
  const at = { q: q.values, k: k.values, v: v.values };
  return {
    got: fromFloat16(bits!.buffer, y.shape[0]! * y.shape[1]!),
    expected: attentionReference(at, { ...params, headDim, visible }),
    lse: pairs!.filter((_, i) => i % 2 === 0),
    expectedLse: logSumExps(at, { ...params, headDim, visible }),
  };
}

/** log Σ exp of each query's scores, `[token, head]`; the mask where it sees no key. */
function logSumExps(
  at: { q: Float64Array; k: Float64Array; v: Float64Array },
  sizes: Parameters<typeof attentionReference>[1],
): Float64Array {
  const { numRows, seqLen, numHeads, numKvHeads, headDim, visible } = sizes;
  return Float64Array.from({ length: numRows * seqLen * numHeads }, (_, i) => {
    const token = Math.floor(i / numHeads);
    const [row, t] = [Math.floor(token / seqLen), token % seqLen];
    const kvHead = Math.floor(((i % numHeads) * numKvHeads) / numHeads);
    let sum = 0;
    for (let s = 0; s <= t; s++) {
      if (!visible(row, t, s)) continue;
      const key = ((row * seqLen + s) * numKvHeads + kvHead) * headDim;
      let score = 0;
      for (let d = 0; d < headDim; d++) score += at.q[i * headDim + d]! * at.k[key + d]!;
      sum += Math.exp(score / Math.sqrt(headDim));
    }
    return sum === 0 ? -3.4e38 : Math.log(sum);
  });
}

for (const one of CASES) {
  test(`attentionMatrix of ${one.name} matches float64`, { skip }, async () => {
    const { got, expected, lse, expectedLse } = await run(gpus[0]!, one, {
      subgroups: 2,
      keys: 16,
    });
    assertClose(got, expected, { what: "y", ...TOLERANCE });
    assertClose(lse, expectedLse, { what: "lse", ...STATISTICS_TOLERANCE });
  });
}

for (const [index, on] of gpus.entries()) {
  test(
    `attentionMatrix of ${SHAPES[index]!.join(" x ")} matrices matches float64`,
    { skip },
    async () => {
      const { got, expected, lse, expectedLse } = await run(on, CASES[2]!, {
        subgroups: 1,
        keys: 32,
      });
      assertClose(got, expected, { what: "y", ...TOLERANCE });
      assertClose(lse, expectedLse, { what: "lse", ...STATISTICS_TOLERANCE });
    },
  );
}

test(
  "Dawn compiles attentionMatrix in every way that is offered",
  { skip: device === undefined ? "not covered in this runtime: Dawn's null backend" : false },
  async () => {
    let numTexts = 0;
    for (const [m, n, k] of SHAPES) {
      const matrix = { m, n, k, subgroupSize: 32, emulated: false };
      const traits = {
        hasFloat16: true,
        maxWorkgroupBytes: 49_152,
        maxWorkgroupLanes: 1024,
        matrix,
      };
      for (const headDim of [16, 32, 64, 96, 128]) {
        const tuned = { variant: "tiled", subgroupSize: 0, traits } as const;
        const choices = matrixAttention.candidates(tuned, { headDim, storage: "f16" });
        assert.ok(choices.length > 0);
        for (const choice of choices) {
          const { subgroups, keys } = choice as { subgroups: number; keys: number };
          const text = attentionMatrix.code({ matrix, headDim, subgroups, keys });
          assert.deepEqual(await errorsOf(device!, text), [], text);
          numTexts++;
        }
      }
    }
    assert.ok(numTexts > 60, `${numTexts} texts`);
  },
);

test("attentionMatrix is offered for halves of widths that matrices divide, where there are any", () => {
  const { variant, subgroupSize, traits } = gpus[0]!;
  const at = { variant, subgroupSize, traits };
  const { matrix: _, ...without } = traits;
  assert.ok(matrixAttention.candidates(at, { headDim: 32, storage: "f16" }).length > 0);
  assert.deepEqual(matrixAttention.candidates(at, { headDim: 40, storage: "f16" }), []);
  assert.deepEqual(matrixAttention.candidates(at, { headDim: 32, storage: "f32" }), []);
  const none = { ...at, traits: without };
  assert.deepEqual(matrixAttention.candidates(none, { headDim: 32, storage: "f16" }), []);
});

test(
  "causalAttention() attends with subgroup matrices where they were chosen",
  { skip },
  async () => {
    const on = gpus[0]!;
    const sizes = { numRows: 1, seqLen: 37, numHeads: 2, numKvHeads: 1, headDim: 16 };
    const { seqLen, numHeads, numKvHeads, headDim } = sizes;
    const problem = { ...sizes, storage: "f16" } as const;
    const offered = ATTENTION_FORWARD.candidates(on, problem);
    assert.notEqual(offered[0]!["kernel"], "matrix", "a tuner alone chooses matrices");
    const choice = offered.find(({ kernel }) => kernel === "matrix")!;
    const halves = (label: string, heads: number, seed: number) => {
      const bits = toFloat16(uniform(seqLen * heads * headDim, seed));
      const tensor = on.tensor([seqLen, heads * headDim], { label, dtype: "f16", values: bits });
      return { tensor, values: Float64Array.from(fromFloat16(bits.buffer, bits.length)) };
    };
    const heads = {
      q: halves("q", numHeads, 1),
      k: halves("k", numKvHeads, 2),
      v: halves("v", numKvHeads, 3),
    };
    const { q, k, v } = heads;
    const masks = (label: string, value: number) =>
      on.tensor([seqLen], { label, dtype: "u32", values: new Uint32Array(seqLen).fill(value) });
    const { variant, subgroupSize, maxBindingBytes, traits } = on;
    const choices = new Map([[keyOf(ATTENTION_FORWARD, problem), choice]]);
    const tape = new Tape({ variant, subgroupSize, maxBindingBytes, traits, choices });
    const inputs = { q: q.tensor, k: k.tensor, v: v.tensor };
    const y = causalAttention(
      tape,
      { ...inputs, starts: masks("starts", 0), ends: masks("ends", seqLen) },
      sizes,
    );
    assert.ok(tape.dispatches.some(({ kernel }) => kernel.name === "attentionMatrix"));
    const plan = await new Plan(on, tape, { keep: [y] }).compile();
    plan.run();
    const [bits] = await plan.read(y);
    plan.destroy();
    const at = { q: q.values, k: k.values, v: v.values };
    const expected = attentionReference(at, { ...sizes, visible: (_, t, s) => s <= t });
    assertClose(fromFloat16(bits!.buffer, expected.length), expected, { what: "y", ...TOLERANCE });
  },
);
