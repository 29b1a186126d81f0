import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { GpuOptions } from "../../engine/gpu.ts";
import { cacheHeads, type CacheHeadsInputs } from "../../engine/ops/cache_heads.ts";
import { type RotaryLayout, rotaryTable } from "../../engine/ops/rotary.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { toFloat16 } from "../float16.ts";
import { rmsNormReference } from "../reference/rms_norm.ts";
import { rotaryReference } from "../reference/rotary.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { PADDING } from "./cached_case.ts";
import { withoutFloat16 } from "./check_op.ts";

const WAYS: Readonly<Record<string, GpuOptions>> = {
  flat: { variant: "flat" },
  tiled: { variant: "tiled" },
};
const gpus = await Promise.all(
  Object.entries(WAYS).map(async ([way, options]) => [way, await openGpu(options)] as const),
);
after(() => gpus.forEach(([, gpu]) => gpu.destroy()));

/** Sums of up to 130 squares, and a rotation, rounded at 6e-8. */
const TOLERANCE = { rtol: 2e-6, atol: 2e-6 };
const EPS = 1e-3;
const THETA = 100;
const PLACES = Uint32Array.of(4, 0, 5, 2, PADDING, 1);
const POSITIONS = Uint32Array.of(3, 0, 7, 1, 0, 2);
const [SEQ_LEN, CAPACITY, NUM_TOKENS, MAX_SEQ_LEN] = [3, 5, 6, 8];

interface Case {
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly layout: RotaryLayout | "none";
  readonly norm: boolean;
}

const CASES: readonly Case[] = [
  { numHeads: 4, numKvHeads: 2, headDim: 6, layout: "half", norm: false },
  { numHeads: 3, numKvHeads: 1, headDim: 8, layout: "interleaved", norm: true },
  { numHeads: 2, numKvHeads: 2, headDim: 130, layout: "half", norm: true },
  { numHeads: 2, numKvHeads: 1, headDim: 5, layout: "none", norm: false },
  { numHeads: 2, numKvHeads: 1, headDim: 7, layout: "none", norm: true },
];

function valuesOf({ numHeads, numKvHeads, headDim }: Case) {
  const q = uniform(NUM_TOKENS * numHeads * headDim, 1);
  const [k, v] = [2, 3].map((seed) => uniform(NUM_TOKENS * numKvHeads * headDim, seed));
  return {
    q,
    k: k!,
    v: v!,
    queryGain: uniform(headDim, 4).map((value) => 1 + value / 2),
    keyGain: uniform(headDim, 5).map((value) => 1 + value / 2),
    keys: uniform(2 * CAPACITY * numKvHeads * headDim, 6),
    values: uniform(2 * CAPACITY * numKvHeads * headDim, 7),
  };
}

/** Queries and caches in float64. */
function reference(at: Case) {
  const { headDim, layout, norm, numKvHeads } = at;
  const values = valuesOf(at);
  const ready = (x: Float32Array, gain: Float32Array) => {
    const weight = Float64Array.from(gain);
    const from = Float64Array.from(x);
    const normed = norm ? rmsNormReference({ x: from, weight }, EPS) : from;
    if (layout === "none") return normed;
    return rotaryReference(normed, { positions: POSITIONS, headDim, theta: THETA, layout });
  };
  const written = (cache: Float32Array, x: ArrayLike<number>) => {
    const result = Float64Array.from(cache);
    const width = numKvHeads * headDim;
    PLACES.forEach((place, token) => {
      if (place >= CAPACITY) return;
      const row = Math.floor(token / SEQ_LEN);
      const vector = Array.from({ length: width }, (_, i) => x[token * width + i]!);
      result.set(vector, (row * CAPACITY + place) * width);
    });
    return result;
  };
  return {
    q: ready(values.q, values.queryGain),
    keys: written(values.keys, ready(values.k, values.keyGain)),
    values: written(values.values, values.v),
  };
}

for (const [way, gpu] of gpus) {
  const inputsOf = (at: Case, cacheDtype: "f32" | "f16" = "f32"): CacheHeadsInputs => {
    const { numKvHeads, headDim, layout, norm } = at;
    const values = valuesOf(at);
    const all = Float32Array.from([...values.q, ...values.k, ...values.v]);
    const tensor = (shape: number[], data: Float32Array<ArrayBuffer>): Tensor =>
      gpu.tensor(shape, { label: "heads", values: data });
    const u32 = (data: Uint32Array<ArrayBuffer>): Tensor =>
      gpu.tensor([data.length], { label: "places", dtype: "u32", values: data });
    const cache = (data: Float32Array<ArrayBuffer>) =>
      gpu.tensor([2 * CAPACITY, numKvHeads * headDim], {
        label: "cache",
        dtype: cacheDtype,
        values: cacheDtype === "f16" ? toFloat16(data) : data,
      });
    const table = () =>
      tensor(
        [MAX_SEQ_LEN, headDim],
        rotaryTable({ headDim, maxSeqLen: MAX_SEQ_LEN, theta: THETA }),
      );
    return {
      heads: tensor([all.length], all),
      keys: cache(values.keys),
      values: cache(values.values),
      places: u32(PLACES),
      ...(layout !== "none" && { rotary: { table: table(), positions: u32(POSITIONS), layout } }),
      ...(norm && {
        norms: {
          query: tensor([headDim], values.queryGain),
          key: tensor([headDim], values.keyGain),
          eps: EPS,
        },
      }),
    };
  };
  const run = async (at: Case, inputs: CacheHeadsInputs) => {
    const tape = new Tape(gpu);
    const q = cacheHeads(tape, inputs, { ...at, seqLen: SEQ_LEN, capacity: CAPACITY });
    const plan = await new Plan(gpu, tape).compile();
    plan.run();
    const [queries, keys, values] = await plan.read(q, inputs.keys, inputs.values);
    plan.destroy();
    return { q: queries!, keys: keys!, values: values! };
  };

  for (const at of CASES) {
    const { numHeads, numKvHeads, headDim, layout, norm } = at;
    test(`cacheHeads() ${way} of ${numHeads} and ${numKvHeads} heads of ${headDim}, rotated "${layout}"${norm ? " and normalized" : ""}, matches float64`, async () => {
      const actual = await run(at, inputsOf(at));
      const expected = reference(at);
      for (const what of ["q", "keys", "values"] as const) {
        assertClose(actual[what], expected[what], { what, ...TOLERANCE });
      }
    });
  }

  test(
    `cacheHeads() ${way} rounds to halves where the cache holds halves`,
    { skip: withoutFloat16(gpu) },
    async () => {
      const at = CASES[0]!;
      const [halves, floats] = [await run(at, inputsOf(at, "f16")), await run(at, inputsOf(at))];
      assert.deepEqual(halves.q, floats.q);
      for (const what of ["keys", "values"] as const) {
        assert.deepEqual(
          new Uint16Array(halves[what].buffer, 0, floats[what].length),
          toFloat16(floats[what]),
        );
      }
    },
  );
}

test("cacheHeads() rotates a position beyond the table as the last one of it", async () => {
  for (const [way, gpu] of gpus) {
    const heads = (position: number) => {
      const u32 = (value: number) =>
        gpu.tensor([1], { label: "u32", dtype: "u32", values: Uint32Array.of(value) });
      const f32 = (length: number, seed: number) => ({
        label: "f32",
        values: uniform(length, seed),
      });
      const inputs = {
        heads: gpu.tensor([12], f32(12, 1)),
        keys: gpu.tensor([1, 4], f32(4, 2)),
        values: gpu.tensor([1, 4], f32(4, 3)),
        places: u32(0),
        // Of two positions, followed by nothing that a kernel may read.
        rotary: {
          table: gpu.tensor([2, 4], f32(8, 4)),
          positions: u32(position),
          layout: "half",
        } as const,
      };
      return { inputs, sizes: { seqLen: 1, capacity: 1, numHeads: 1, numKvHeads: 1, headDim: 4 } };
    };
    const rotated = async (position: number) => {
      const { inputs, sizes } = heads(position);
      const tape = new Tape(gpu);
      const q = cacheHeads(tape, inputs, sizes);
      const plan = await new Plan(gpu, tape).compile();
      plan.run();
      const found = await plan.read(q, inputs.keys);
      plan.destroy();
      return found;
    };
    const last = await rotated(1);
    assert.deepEqual(await rotated(2), last, way);
    assert.deepEqual(await rotated(2 ** 30), last, way); // times 4 is beyond 32 bits
    assert.notDeepEqual(await rotated(0), last, way);
  }
});

test("cacheHeads() refuses shapes and types that do not fit, and says what it got", () => {
  const [, gpu] = gpus[0]!;
  const f32 = (...shape: number[]) => gpu.tensor(shape, { label: "x" });
  const places = gpu.tensor([2], { label: "places", dtype: "u32" });
  const sizes = { seqLen: 1, capacity: 3, numHeads: 2, numKvHeads: 1, headDim: 4 };
  const record = (inputs: Partial<CacheHeadsInputs>) => () =>
    cacheHeads(
      new Tape(gpu),
      { heads: f32(32), keys: f32(6, 4), values: f32(6, 4), places, ...inputs },
      sizes,
    );
  record({})();
  assert.throws(record({ heads: f32(31) }), {
    name: "RangeError",
    message:
      "Cannot cache 2 heads of 4 and 1 for keys, seqLen 1, capacity 3: shapes must fit, " +
      "got heads [31] f32, keys [6, 4] f32, values [6, 4] f32, places [2] u32",
  });
  assert.throws(record({ values: f32(6, 3) }), RangeError);
  const rotary = { table: f32(8, 4), positions: places, layout: "half" } as const;
  record({ rotary })();
  assert.throws(record({ rotary: { ...rotary, table: f32(8, 2) } }), RangeError);
  assert.throws(record({ rotary: { ...rotary, positions: f32(2) } }), TypeError);
  assert.throws(record({ norms: { query: f32(4), key: f32(3), eps: 1 } }), RangeError);
  assert.throws(record({ places: f32(2) }), TypeError);
});
