import assert from "node:assert/strict";
import { after, test } from "node:test";
import { causalAttention } from "../../engine/ops/attention.ts";
import { cachedAttention, writeCache } from "../../engine/ops/cached_attention.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { sizeOf } from "../../engine/tensor.ts";
import { assertClose, uniform } from "../support.ts";
import { openWays, PADDING, range, TOLERANCE, TREE_ENDS, type Way } from "./cached_case.ts";
import { runOp } from "./run_op.ts";

const { gpu, plain, ways } = await openWays();
after(() => {
  gpu.destroy();
  plain.destroy();
});

const TEXT = { numRows: 2, length: 40, capacity: 48, numHeads: 4, numKvHeads: 2, headDim: 8 };
const KEY_WIDTH = TEXT.numKvHeads * TEXT.headDim;
const WIDTHS = { q: TEXT.numHeads * TEXT.headDim, k: KEY_WIDTH, v: KEY_WIDTH };

interface Masks {
  readonly starts: number[];
  readonly ends: number[];
}

interface Feed {
  /** New tokens of a row that a step takes at most. */
  readonly seqLen: number;
  /** How many of each row go in at each step. */
  readonly chunks: readonly (readonly number[])[];
}

/** Texts or trees of two rows: what full attention says, and what a cache is fed with. */
async function fullAttention({ on, variant }: Way, masks: Masks) {
  const numTokens = TEXT.numRows * TEXT.length;
  const random = (width: number, seed: number) => ({
    shape: [numTokens, width],
    values: uniform(numTokens * width, seed),
  });
  const both = (row: number[]) => ({
    shape: [numTokens],
    values: Uint32Array.from([...row, ...row]),
  });
  const [q, k, v] = [random(WIDTHS.q, 1), random(WIDTHS.k, 2), random(WIDTHS.v, 3)];
  const { y } = await runOp(on, variant, {
    inputs: { q, k, v, starts: both(masks.starts), ends: both(masks.ends) },
    op: (tape, t) => causalAttention(tape, t, { ...TEXT, seqLen: TEXT.length }),
  });
  return { q: q.values, k: k.values, v: v.values, y };
}

interface Texts extends Masks {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/** A compiled step that takes `seqLen` new tokens a row, and its inputs. */
async function makeStep({ on, variant }: Way, seqLen: number, ends: number[]) {
  const { numRows, capacity } = TEXT;
  const f32 = (shape: number[]) => on.tensor(shape, { label: "fed" });
  const u32 = (length: number) => on.tensor([length], { label: "fed", dtype: "u32" });
  const sizes = { ...TEXT, seqLen };
  const inputs = {
    q: f32([numRows * seqLen, WIDTHS.q]),
    k: f32([numRows * seqLen, WIDTHS.k]),
    v: f32([numRows * seqLen, WIDTHS.v]),
    places: u32(numRows * seqLen),
    starts: u32(numRows * seqLen),
  };
  const cache = { k: f32([numRows * capacity, WIDTHS.k]), v: f32([numRows * capacity, WIDTHS.v]) };
  const cacheEnds = u32(numRows * capacity);
  const rowEnds = range(0, capacity).map((s) => ends[s] ?? PADDING);
  on.write(cacheEnds, Uint32Array.from([...rowEnds, ...rowEnds]));
  const tape = new Tape({ variant, subgroupSize: on.subgroupSize });
  const also = { x: inputs.v, cache: cache.v };
  writeCache(tape, { x: inputs.k, cache: cache.k, also, places: inputs.places }, sizes);
  const y = cachedAttention(tape, { ...inputs, ...cache, ends: cacheEnds }, sizes);
  return { inputs, y, plan: await new Plan(on, tape, { keep: [y] }).compile() };
}

/** Feeds texts to a cache, so many tokens of each row at each step; returns all that it answers. */
async function feed(way: Way, { seqLen, chunks }: Feed, texts: Texts): Promise<Float32Array> {
  const { numRows, length } = TEXT;
  const { inputs, y, plan } = await makeStep(way, seqLen, texts.ends);
  const answers = new Float32Array(texts.q.length);
  const fed = Array<number>(numRows).fill(0);
  for (const chunk of chunks) {
    const places = new Uint32Array(numRows * seqLen).fill(PADDING);
    const starts = new Uint32Array(numRows * seqLen);
    const copies: { from: number; to: number }[] = [];
    chunk.forEach((count, row) => {
      for (let i = 0; i < count; i++) {
        const to = row * seqLen + i;
        const place = fed[row]! + i;
        places[to] = place;
        starts[to] = texts.starts[place]!;
        copies.push({ from: row * length + place, to });
      }
      fed[row]! += count;
    });
    for (const name of ["q", "k", "v"] as const) {
      const values = uniform(sizeOf(inputs[name].shape), 9); // padding is no zeros
      const width = WIDTHS[name];
      for (const { from, to } of copies) values.set(vector(texts[name], from, width), to * width);
      way.on.write(inputs[name], values);
    }
    way.on.write(inputs.places, places);
    way.on.write(inputs.starts, starts);
    plan.run();
    const [out] = await plan.read(y);
    for (const { from, to } of copies) answers.set(vector(out!, to, WIDTHS.q), from * WIDTHS.q);
    const padding = range(0, numRows * seqLen).filter((token) => places[token] === PADDING);
    const isZero = (token: number) => vector(out!, token, WIDTHS.q).every((value) => value === 0);
    assert.ok(padding.every(isZero), "padding must give zeros");
  }
  assert.deepEqual(fed, Array(numRows).fill(length), "the chunks must feed the whole texts");
  plan.destroy();
  return answers;
}

/** Vector `index` of those of `width` elements. */
const vector = (values: Float32Array, index: number, width: number): Float32Array =>
  values.subarray(index * width, (index + 1) * width);

const { length } = TEXT;
const MASKS: readonly (Masks & { readonly name: string })[] = [
  { name: "text", starts: range(0, length).fill(0), ends: range(0, length).fill(PADDING) },
  {
    name: "a window of 9",
    starts: range(0, length).map((place) => Math.max(0, place - 8)),
    ends: range(0, length).fill(PADDING),
  },
  { name: "trees", starts: range(0, length).fill(0), ends: TREE_ENDS.slice(0, length) },
];
const FEEDS: readonly (Feed & { readonly name: string })[] = [
  { name: "in one go", seqLen: length, chunks: [[length, length]] },
  {
    name: "in ragged chunks",
    seqLen: 17,
    chunks: [
      [17, 1],
      [0, 16],
      [9, 17],
      [14, 6],
    ],
  },
  {
    name: "by twos and threes",
    seqLen: 3,
    chunks: range(0, 14).map((i) => (i < 13 ? [3, 3] : [1, 1])),
  },
  { name: "token by token", seqLen: 1, chunks: range(0, length).map(() => [1, 1]) },
];

for (const way of ways) {
  for (const { name, ...masks } of MASKS) {
    test(`cachedAttention() ${way.name} of ${name} equals causalAttention() at every place`, async () => {
      const { y, ...texts } = await fullAttention(way, masks);
      for (const { name: how, ...chunks } of FEEDS) {
        const fed = await feed(way, chunks, { ...texts, ...masks });
        assertClose(fed, y, { what: `y ${how}`, ...TOLERANCE });
      }
    });
  }
}
