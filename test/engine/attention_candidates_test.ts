import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import {
  ATTENTION_BACKWARD_KEY,
  ATTENTION_BACKWARD_QUERY,
  ATTENTION_FORWARD,
} from "../../engine/ops/attention_tunable.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { DType, Tensor } from "../../engine/tensor.ts";
import { type Choice, keyOf, sameChoice } from "../../engine/tuning/tunable.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { attentionReference, type AttentionCase } from "../reference/attention.ts";
import { directionalDerivative, dot } from "../gradient.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { withoutFloat16 } from "./check_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Softmax over up to 70 keys and dot products of up to 256 terms, each rounded at 6e-8.
const TOLERANCE = { rtol: 1e-5, atol: 1e-5 };
// One rounding of results to half precision; delta sums a y that was rounded.
const F16_TOLERANCE = { rtol: 2 ** -10, atol: 2e-3 };

const TUNABLES = {
  forward: ATTENTION_FORWARD,
  query: ATTENTION_BACKWARD_QUERY,
  key: ATTENTION_BACKWARD_KEY,
} as const;
type Pass = keyof typeof TUNABLES;

interface Case extends Omit<AttentionCase, "visible"> {
  readonly name: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

const range = (length: number, valueOf: (i: number) => number) =>
  Array.from({ length }, (_, i) => valueOf(i));

/** Ends of 5 nodes in depth-first order: root, child, its two children, second child. */
const treeEnd = (t: number) => t - (t % 5) + [5, 4, 3, 4, 5][t % 5]!;

/** Compiled in seconds, in all ways. */
const NARROW: readonly Case[] = [
  {
    name: "two rows of documents under grouped heads of 20",
    numRows: 2,
    seqLen: 19,
    numHeads: 4,
    numKvHeads: 2,
    headDim: 20,
    starts: [...range(19, (t) => (t < 7 ? 0 : 7)), ...range(19, () => 0)],
    ends: [...range(19, (t) => (t < 7 ? 7 : 19)), ...range(19, () => 19)],
  },
  {
    name: "a window over trees after a prefix, heads of 32",
    numRows: 1,
    seqLen: 70,
    numHeads: 2,
    numKvHeads: 1,
    headDim: 32,
    starts: range(70, (t) => Math.max(0, t - 40)),
    ends: range(70, (t) => (t < 10 ? 70 : treeEnd(t))),
  },
  {
    name: "exactly a tile, with rows that see nothing",
    numRows: 1,
    seqLen: 32,
    numHeads: 1,
    numKvHeads: 1,
    headDim: 8,
    starts: range(32, (t) => (t % 9 === 4 ? t + 1 : 0)),
    ends: range(32, (t) => (t === 3 ? 0 : 32)),
  },
];

/** Heads of several turns of columns, which a software adapter compiles for long. */
const WIDE: readonly Case[] = [
  {
    name: "a ragged causal row of heads of 64",
    numRows: 1,
    seqLen: 37,
    numHeads: 2,
    numKvHeads: 2,
    headDim: 64,
    starts: range(37, () => 0),
    ends: range(37, () => 37),
  },
  {
    name: "a single token of a head of 128",
    numRows: 1,
    seqLen: 1,
    numHeads: 1,
    numKvHeads: 1,
    headDim: 128,
    starts: [0],
    ends: [1],
  },
  {
    name: "a window of heads of 256",
    numRows: 1,
    seqLen: 21,
    numHeads: 1,
    numKvHeads: 1,
    headDim: 256,
    starts: range(21, (t) => Math.max(0, t - 12)),
    ends: range(21, () => 21),
  },
];

interface Outputs {
  readonly y: Float32Array;
  readonly dq: Float32Array;
  readonly dk: Float32Array;
  readonly dv: Float32Array;
}

const sizeOfCase = ({ numRows, seqLen, numHeads, numKvHeads, headDim }: Case) => ({
  q: numRows * seqLen * numHeads * headDim,
  k: numRows * seqLen * numKvHeads * headDim,
});

const device = (variant: Variant) => ({
  variant,
  subgroupSize: gpu.subgroupSize,
  traits: gpu.traits,
});

function candidatesOf(variant: Variant, pass: Pass, shape: Case, storage: "f32" | "f16") {
  const { numRows, seqLen, numHeads, numKvHeads, headDim } = shape;
  const problem = { numRows, seqLen, numHeads, numKvHeads, headDim, storage };
  const tunable = TUNABLES[pass];
  return { key: keyOf(tunable, problem), all: tunable.candidates(device(variant), problem) };
}

/** Inputs of a case, rounded to what is stored. */
function valuesOf(shape: Case, dtype: DType) {
  const { q, k } = sizeOfCase(shape);
  const rounded = (length: number, seed: number) => {
    const values = uniform(length, seed);
    return dtype === "f16" ? fromFloat16(toFloat16(values).buffer, length) : values;
  };
  return { q: rounded(q, 1), k: rounded(k, 2), v: rounded(k, 3), dy: rounded(q, 4) };
}

/** Runs a case forward and backward with one choice a pass. */
async function run(
  variant: Variant,
  shape: Case,
  { choices, dtype }: { choices: ReadonlyMap<string, Choice>; dtype: "f32" | "f16" },
): Promise<Outputs> {
  const numTokens = shape.numRows * shape.seqLen;
  const values = valuesOf(shape, dtype);
  const head = (name: "q" | "k" | "v" | "dy"): Tensor => ({
    ...gpu.tensor([numTokens, values[name].length / numTokens], {
      label: name,
      dtype,
      values: dtype === "f16" ? toFloat16(values[name]) : values[name],
    }),
    needsGradient: true,
  });
  const u32 = (label: string, numbers: readonly number[]) =>
    gpu.tensor([numTokens], { label, dtype: "u32", values: Uint32Array.from(numbers) });
  const [q, k, v] = [head("q"), head("k"), head("v")];
  const tape = new Tape({ ...device(variant), choices });
  const masks = { starts: u32("starts", shape.starts), ends: u32("ends", shape.ends) };
  const y = causalAttention(tape, { q, k, v, ...masks }, shape);
  tape.backward(y, head("dy"), [q, k, v]);
  const outputs = [y, ...[q, k, v].map((x) => tape.gradient(x))];
  const plan = await new Plan(gpu, tape, { keep: outputs }).compile();
  plan.run();
  const read = await plan.read(...outputs);
  plan.destroy();
  const [one, dq, dk, dv] = outputs.map(({ shape: [rows, columns] }, i) => {
    const length = rows! * columns!;
    return dtype === "f16" ? fromFloat16(read[i]!.buffer, length) : read[i]!.slice(0, length);
  });
  return { y: one!, dq: dq!, dk: dk!, dv: dv! };
}

/** Checks against the reference in float64: y itself, gradients along one direction. */
function checkOutputs(shape: Case, outputs: Outputs, dtype: "f32" | "f16"): void {
  const { starts, ends, seqLen } = shape;
  const visible = (row: number, t: number, s: number) =>
    starts[row * seqLen + t]! <= s && s <= t && t < ends[row * seqLen + s]!;
  const values = valuesOf(shape, dtype);
  const at = {
    q: Float64Array.from(values.q),
    k: Float64Array.from(values.k),
    v: Float64Array.from(values.v),
  };
  const tolerance = dtype === "f16" ? F16_TOLERANCE : TOLERANCE;
  assertClose(outputs.y, attentionReference(at, { ...shape, visible }), {
    what: "y",
    ...tolerance,
  });
  const gradients = { q: outputs.dq, k: outputs.dk, v: outputs.dv };
  for (const name of ["q", "k", "v"] as const) {
    const direction = uniform(at[name].length, 98);
    const loss = (value: Float64Array) =>
      dot(attentionReference({ ...at, [name]: value }, { ...shape, visible }), values.dy);
    // Errors of many elements add up as a random walk does.
    const atol = (tolerance.atol + tolerance.rtol) * Math.sqrt(direction.length);
    assertClose(
      [dot(gradients[name], direction)],
      [directionalDerivative(loss, at[name], direction)],
      {
        what: `d(${name}) along one direction`,
        rtol: tolerance.rtol,
        atol,
      },
    );
  }
}

/**
 * The default of every pass, and the other ways whose turn it is: each has one with some case. As
 * few runs as show all of them.
 */
async function checkShare(
  variant: Variant,
  shape: Case,
  { dtype, turn }: { readonly dtype: "f32" | "f16"; readonly turn: number },
): Promise<void> {
  const passes = (Object.keys(TUNABLES) as Pass[]).map((pass) => {
    const { key, all } = candidatesOf(variant, pass, shape, dtype);
    // Blocks of GPUs, of which each takes seconds to compile here, have tests of their own.
    const [first, ...others] = all.filter(({ kernel }) => kernel !== "block");
    const ordered = [first!, ...others].map((way) => JSON.stringify(way)).toSorted();
    const isDue = (way: Choice) => ordered.indexOf(JSON.stringify(way)) % NARROW.length === turn;
    return { key, all: [first!, ...others.filter(isDue)] };
  });
  const most = Math.max(...passes.map(({ all }) => all.length));
  let first: Outputs | undefined;
  for (let i = 0; i < most; i++) {
    const choices = new Map(passes.map(({ key, all }) => [key, all[Math.min(i, all.length - 1)]!]));
    const outputs = await run(variant, shape, { choices, dtype });
    checkOutputs(shape, outputs, dtype);
    if (i === 0) {
      assert.deepEqual(await run(variant, shape, { choices, dtype }), outputs, "the same bits");
      first = outputs;
    }
    // Far tighter than one direction of a gradient could show: any wrong element.
    const near = dtype === "f16" ? F16_TOLERANCE : { rtol: 1e-4, atol: 2e-5 };
    for (const name of ["dq", "dk", "dv"] as const) {
      assertClose(outputs[name], first![name], { what: `${name} of way ${i}`, ...near });
    }
  }
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const [turn, shape] of NARROW.entries()) {
    test(`causalAttention() ${variant} computes ${shape.name} in its share of ways`, () =>
      checkShare(variant, shape, { dtype: "f32", turn }));
  }
  for (const shape of WIDE) {
    // Heads of 256 are compiled in the tests of blocks, forward only: backward takes 15 s.
    if (variant === "tiled" && shape.headDim > 128) continue;
    test(`causalAttention() ${variant} computes ${shape.name} as it does by default`, async () => {
      checkOutputs(shape, await run(variant, shape, { choices: new Map(), dtype: "f32" }), "f32");
    });
  }
  test(
    `causalAttention() ${variant} computes halves in some ways`,
    { skip: withoutFloat16(gpu) },
    () => checkShare(variant, NARROW[0]!, { dtype: "f16", turn: 1 }),
  );
}

test("attention has ways of its own for each kind of device, each only once", () => {
  for (const variant of ["flat", "tiled"] satisfies Variant[]) {
    const fewest = variant === "flat" && gpu.subgroupSize === 0 ? 1 : 2; // one needs no subgroups
    for (const pass of Object.keys(TUNABLES) as Pass[]) {
      const { all } = candidatesOf(variant, pass, WIDE[0]!, "f32");
      assert.ok(all.length >= fewest, `${variant} ${pass}: ${all.length} ways`);
      assert.ok(all.every((one, i) => all.findIndex((other) => sameChoice(one, other)) === i));
    }
  }
});
