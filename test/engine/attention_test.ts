import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { type AttentionInputs, causalAttention } from "../../engine/ops/attention.ts";
import { Tape } from "../../engine/tape.ts";
import { detach, type DType, type Tensor } from "../../engine/tensor.ts";
import { attentionSpans } from "../../shaders/attention_spans.wgsl.ts";
import { copy } from "../../shaders/elementwise.wgsl.ts";
import { attentionReference, type AttentionCase } from "../reference/attention.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkFloat16, checkOp, withoutFloat16 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Softmax over up to 130 keys and dot products of up to 64 terms, each rounded at 6e-8.
const TOLERANCE = { rtol: 1e-5, atol: 5e-6 };

// Backward's delta is a sum over a y that was rounded to half precision, by up to 2^-11 of its terms.
const F16_GRADIENT_TOLERANCE = { rtol: 2 ** -10, atol: 1e-3 };

interface Masks {
  starts: number[];
  ends: number[];
}

/** Documents one after another, of the given lengths, over one row. */
function documents(...lengths: number[]): Masks {
  const starts: number[] = [];
  const ends: number[] = [];
  let begin = 0;
  for (const length of lengths) {
    for (let i = 0; i < length; i++) {
      starts.push(begin);
      ends.push(begin + length);
    }
    begin += length;
  }
  return { starts, ends };
}

/** The masks with starts no earlier than `width` keys, itself among them, before each query. */
function windowed({ starts, ends }: Masks, width: number): Masks {
  return { starts: starts.map((start, t) => Math.max(start, t + 1 - width)), ends };
}

/**
 * A prefix of 10, then 24 trees of 5 in depth-first order: root, child, its two children, second
 * child. They fill several blocks of lanes in both variants, so that whole trees are skipped.
 */
const TREES: Masks = {
  starts: Array(130).fill(0),
  ends: Array.from({ length: 130 }, (_, i) =>
    i < 10 ? 130 : i - (i % 5) + [5, 4, 3, 4, 5][i % 5]!,
  ),
};

/** As above, with a window over the path from the first token to each query: starts descend. */
function windowedTrees(width: number): Masks {
  const { ends } = TREES;
  const starts = ends.map((_, t) => {
    const path = ends.flatMap((end, s) => (s <= t && t < end ? [s] : []));
    return path.at(-width) ?? path[0]!;
  });
  return { starts, ends };
}

interface Case extends Omit<AttentionCase, "visible">, Masks {
  name: string;
}

const sizes = (
  numRows: number,
  seqLen: number,
  numHeads: number,
  numKvHeads: number,
  headDim: number,
) => ({
  numRows,
  seqLen,
  numHeads,
  numKvHeads,
  headDim,
});

const CASES: Case[] = [
  { name: "a single token", ...sizes(1, 1, 1, 1, 1), ...documents(1) },
  { name: "an odd causal row of odd heads", ...sizes(1, 5, 3, 1, 3), ...documents(5) },
  {
    name: "two rows of grouped heads",
    ...sizes(2, 13, 4, 2, 8),
    starts: [...documents(13).starts, ...documents(4, 1, 8).starts],
    ends: [...documents(13).ends, ...documents(4, 1, 8).ends],
  },
  { name: "documents across a block of lanes", ...sizes(1, 70, 2, 2, 8), ...documents(5, 60, 5) },
  { name: "more keys than a staged tile holds", ...sizes(1, 130, 1, 1, 8), ...documents(100, 30) },
  {
    name: "a tree in depth-first order after a prefix",
    ...sizes(1, 9, 2, 1, 8),
    starts: Array(9).fill(0),
    // prefix 0 1 2, then node 3 with children 4 (child 5) and 6, then leaf 7, then node 8.
    ends: [9, 9, 9, 7, 6, 6, 7, 8, 9],
  },
  {
    name: "trees that are over before a block of lanes begins",
    ...sizes(1, 130, 2, 1, 8),
    ...TREES,
  },
  // A key with end 0 is seen by nobody, not even by itself: its own row is fully masked.
  { name: "a fully masked row", ...sizes(1, 3, 1, 1, 8), starts: [0, 1, 2], ends: [1, 0, 3] },
  { name: "a window of one", ...sizes(1, 5, 1, 1, 8), ...windowed(documents(5), 1) },
  { name: "a window", ...sizes(1, 130, 2, 1, 8), ...windowed(documents(130), 17) },
  {
    name: "a row of windows over documents before a row without",
    ...sizes(2, 70, 1, 1, 8),
    starts: [...windowed(documents(5, 60, 5), 9).starts, ...documents(70).starts],
    ends: [...documents(5, 60, 5).ends, ...documents(70).ends],
  },
  { name: "windows over the paths of trees", ...sizes(1, 130, 2, 1, 8), ...windowedTrees(4) },
  // Queries whose window begins after themselves see nothing; the others begin anywhere.
  {
    name: "starts in any order",
    ...sizes(1, 40, 1, 1, 8),
    starts: Array.from({ length: 40 }, (_, t) => (t * 17) % 23),
    ends: Array(40).fill(40),
  },
];

/** The rule of who sees whom, for the reference. */
function visibility({ starts, ends }: Masks, seqLen: number): AttentionCase["visible"] {
  return (row, t, s) => starts[row * seqLen + t]! <= s && s <= t && t < ends[row * seqLen + s]!;
}

type Heads = Parameters<typeof causalAttention>[1];

/** Inputs of one document that fills every row. */
function headInputs({ numRows, seqLen, numHeads, numKvHeads, headDim }: ReturnType<typeof sizes>) {
  const numTokens = numRows * seqLen;
  const heads = (count: number, seed: number) => ({
    shape: [numTokens, count * headDim],
    values: uniform(numTokens * count * headDim, seed),
  });
  return {
    q: heads(numHeads, 1),
    k: heads(numKvHeads, 2),
    v: heads(numKvHeads, 3),
    starts: { shape: [numTokens], values: new Uint32Array(numTokens) },
    ends: { shape: [numTokens], values: new Uint32Array(numTokens).fill(seqLen) },
  };
}

function check(variant: Variant, { name, starts, ends, ...shape }: Case): void {
  const { numRows, seqLen, numHeads, numKvHeads, headDim } = shape;
  const numTokens = numRows * seqLen;
  const visible = visibility({ starts, ends }, seqLen);
  const random = (heads: number, seed: number) => ({
    shape: [numTokens, heads * headDim],
    values: uniform(numTokens * heads * headDim, seed),
  });
  test(`causalAttention() ${variant} over ${name} matches float64, forward and backward`, async () => {
    await checkOp(gpu, variant, {
      inputs: {
        q: random(numHeads, 1),
        k: random(numKvHeads, 2),
        v: random(numKvHeads, 3),
        starts: { shape: [numTokens], values: Uint32Array.from(starts) },
        ends: { shape: [numTokens], values: Uint32Array.from(ends) },
      },
      op: (tape, t) => causalAttention(tape, t, shape),
      reference: (at) => attentionReference(at, { ...shape, visible }),
      tolerance: TOLERANCE,
    });
  });
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  for (const shape of CASES) check(variant, shape);
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // Delta is the business of the query kernel, dk and dv of the other: each must work for all.
  for (const trained of ["q", "k", "v"] as const) {
    test(`causalAttention() ${variant} gives d(${trained}) where nothing else carries a gradient`, async () => {
      const shape = sizes(1, 9, 2, 1, 8);
      const inputs = headInputs(shape);
      const dy = uniform(9 * 16, 4);
      const all = await runOp(gpu, variant, {
        inputs,
        dy,
        op: (tape, t) => causalAttention(tape, t, shape),
      });
      const frozen = (name: "q" | "k" | "v") =>
        gpu.tensor(inputs[name].shape, { label: name, values: inputs[name].values });
      const constants = { q: frozen("q"), k: frozen("k"), v: frozen("v") };
      const { starts, ends } = inputs;
      const alone = await runOp(gpu, variant, {
        inputs: { [trained]: inputs[trained], starts, ends },
        dy,
        op: (tape, t) =>
          causalAttention(tape, { ...constants, ...(t as Record<string, Tensor>) } as Heads, shape),
      });
      assert.deepEqual(alone.gradients[trained], all.gradients[trained]);
    });
  }

  test(`causalAttention() ${variant} of one tensor as queries, keys and values adds all gradients`, async () => {
    const shape = sizes(1, 7, 2, 2, 4);
    const { starts, ends } = headInputs(shape);
    const visible = (_row: number, t: number, s: number) => s <= t;
    await checkOp(gpu, variant, {
      inputs: { x: { shape: [7, 8], values: uniform(56, 1) }, starts, ends },
      op: (tape, { x, ...masks }) => {
        const h = add(tape, x, x);
        return causalAttention(tape, { q: h, k: h, v: h, ...masks }, shape);
      },
      reference: ({ x }) => {
        const h = x.map((value) => 2 * value);
        return attentionReference({ q: h, k: h, v: h }, { ...shape, visible });
      },
      tolerance: { rtol: 1e-5, atol: 2e-5 },
    });
  });
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  test(
    `causalAttention() ${variant} computes in f32 what is stored as f16, forward and backward`,
    { skip: withoutFloat16(gpu) },
    async () => {
      // Loads of 4 halves and of single ones.
      for (const headDim of [8, 3]) {
        const shape = sizes(1, 21, 2, 1, headDim);
        const masks = windowed(documents(8, 13), 6);
        const { q, k, v } = headInputs(shape);
        const u32 = (values: number[]) => ({ shape: [21], values: Uint32Array.from(values) });
        await checkFloat16(gpu, variant, {
          inputs: { q, k, v, starts: u32(masks.starts), ends: u32(masks.ends) },
          op: (tape, t) => causalAttention(tape, t, shape),
          reference: (at) => attentionReference(at, { ...shape, visible: visibility(masks, 21) }),
          tolerance: F16_GRADIENT_TOLERANCE,
        });
      }
    },
  );
}

test(
  "causalAttention() adds gradients of halves that are one tensor's",
  { skip: withoutFloat16(gpu) },
  async () => {
    const shape = sizes(1, 7, 2, 2, 4);
    const { starts, ends } = headInputs(shape);
    await checkFloat16(gpu, "flat", {
      inputs: { x: { shape: [7, 8], values: uniform(56, 1) }, starts, ends },
      op: (tape, { x, ...masks }) => causalAttention(tape, { q: x, k: x, v: x, ...masks }, shape),
      reference: ({ x }) =>
        attentionReference(
          { q: x, k: x, v: x },
          { ...shape, visible: visibility(documents(7), 7) },
        ),
      tolerance: F16_GRADIENT_TOLERANCE,
    });
  },
);

test("causalAttention() refuses to differentiate parameters of halves", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const half = gpu.parameter([2, 1], { label: "half", dtype: "f16" });
  const u32 = gpu.tensor([2], { label: "masks", dtype: "u32" });
  const heads = { q: half, k: half, v: half, starts: u32, ends: u32 };
  const y = causalAttention(tape, heads, sizes(1, 2, 1, 1, 1));
  assert.throws(() => tape.backward(y, tape.activation([2, 1], { label: "dy", dtype: "f16" })), {
    name: "TypeError",
    message:
      'Cannot differentiate "half": a parameter that is used as an activation must be f32, got [2, 1] f16',
  });
});

test("causalAttention() lays out masks again once a dispatch has written them", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const x = tape.activation([4, 8], { label: "x" });
  const u32 = () => tape.activation([4], { label: "masks", dtype: "u32" });
  const [starts, ends, others] = [u32(), u32(), u32()];
  const attend = () =>
    causalAttention(tape, { q: x, k: x, v: x, starts, ends }, sizes(1, 4, 1, 1, 8));
  const count = () => tape.dispatches.filter(({ kernel }) => kernel === attentionSpans).length;
  attend();
  tape.elementwise(copy, { x: starts, y: others });
  attend();
  assert.equal(count(), 1, "reading them changes nothing");
  tape.elementwise(copy, { x: others, y: detach(starts) });
  attend();
  attend();
  assert.equal(count(), 2);
});

test("causalAttention() throws when shapes or dtypes do not fit", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const tensor = (shape: number[], dtype: DType = "f32") =>
    tape.activation(shape, { label: "t", dtype });
  const q = tensor([4, 8]);
  const masks = { starts: tensor([4], "u32"), ends: tensor([4], "u32") };
  const attend = (over: Partial<AttentionInputs>) =>
    causalAttention(tape, { q, k: q, v: q, ...masks, ...over }, sizes(1, 4, 1, 1, 8));
  assert.throws(() => attend({ k: tensor([4, 4]) }), {
    name: "RangeError",
    message:
      "Cannot apply causalAttention() with 1 heads of 8 and 1 for keys, seqLen 4: shapes must fit, got q [4, 8] f32, k [4, 4] f32, v [4, 8] f32, starts [4] u32, ends [4] u32",
  });
  assert.throws(() => attend({ ends: tensor([3], "u32") }), { name: "RangeError" });
  assert.throws(() => attend({ v: tensor([4, 8], "f16") }), {
    name: "TypeError",
    message:
      "Cannot apply causalAttention(): k and v must be stored as q, starts and ends be u32, got q [4, 8] f32, k [4, 8] f32, v [4, 8] f16, starts [4] u32, ends [4] u32",
  });
  assert.throws(() => attend({ starts: tensor([4]) }), { name: "TypeError" });
});

test("causalAttention() lays out masks once for all blocks that share them", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const x = tape.activation([4, 8], { label: "x" });
  const u32 = () => tape.activation([4], { label: "masks", dtype: "u32" });
  const masks = { starts: u32(), ends: u32() };
  const attend = (over: typeof masks, seqLen: number) =>
    causalAttention(tape, { q: x, k: x, v: x, ...over }, sizes(4 / seqLen, seqLen, 1, 1, 8));
  const count = () => tape.dispatches.filter(({ kernel }) => kernel === attentionSpans).length;
  attend(masks, 4);
  attend(masks, 4);
  assert.equal(count(), 1);
  attend(masks, 2);
  assert.equal(count(), 2, "rows of another length");
  attend({ ...masks, ends: u32() }, 2);
  assert.equal(count(), 3, "other ends");
});

test("causalAttention() survives scores far apart", async () => {
  const inputs = {
    q: { shape: [2, 1], values: new Float32Array([300, 300]) },
    k: { shape: [2, 1], values: new Float32Array([-300, 300]) },
    v: { shape: [2, 1], values: new Float32Array([1, 2]) },
    starts: { shape: [2], values: new Uint32Array([0, 0]) },
    ends: { shape: [2], values: new Uint32Array([2, 2]) },
  };
  const { y } = await runOp(gpu, "flat", {
    inputs,
    op: (tape, t) => causalAttention(tape, t, sizes(1, 2, 1, 1, 1)),
  });
  assertClose(y, [1, 2], { what: "y", rtol: 0, atol: 0 });
});

test("causalAttention() reaches blocks beyond 65 535 workgroups", async () => {
  const numRows = 66_000;
  const v = uniform(numRows, 3);
  const ones = { shape: [numRows], values: new Uint32Array(numRows).fill(1) };
  const { y } = await runOp(gpu, "flat", {
    inputs: {
      q: { shape: [numRows, 1], values: uniform(numRows, 1) },
      k: { shape: [numRows, 1], values: uniform(numRows, 2) },
      v: { shape: [numRows, 1], values: v },
      starts: { shape: [numRows], values: new Uint32Array(numRows) },
      ends: ones,
    },
    op: (tape, t) => causalAttention(tape, t, sizes(numRows, 1, 1, 1, 1)),
  });
  assertClose(y, v, { what: "y", rtol: 1e-6, atol: 0 });
});
