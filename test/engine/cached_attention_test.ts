import assert from "node:assert/strict";
import { after, test } from "node:test";
import { cachedAttention } from "../../engine/ops/cached_attention.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { fromFloat16, toFloat16 } from "../float16.ts";
import { cachedAttentionReference } from "../reference/cached_attention.ts";
import { assertClose } from "../support.ts";
import {
  type Case,
  inputsOf,
  inputTensors,
  openWays,
  PADDING,
  range,
  sized,
  type Sizes,
  TOLERANCE,
  TREE_ENDS,
} from "./cached_case.ts";
import { withoutFloat16 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const { gpu, plain, ways } = await openWays();
after(() => {
  gpu.destroy();
  plain.destroy();
});

// Widths of 8 are unrolled, of 36 looped over; 9 pairs of 3 queries and 3 heads make two chunks.
const CASES: readonly Case[] = [
  sized("the first token", [1, 1, 1], [1, 1, 2], { places: [0] }),
  sized("odd heads in a short cache", [2, 1, 5], [3, 1, 3], { places: [4, 1] }),
  sized("places around the seams of splits and tiles", [10, 1, 700], [4, 2, 8], {
    places: [0, 7, 8, 63, 64, 127, 128, 511, 512, 699],
  }),
  sized("rows of padding between others", [3, 1, 700], [4, 2, 8], {
    places: [PADDING, 600, 700],
  }),
  sized("windows that begin anywhere", [5, 1, 700], [4, 2, 8], {
    places: [699, 699, 699, 513, 5],
    starts: [513, 699, 3, 512, 6],
  }),
  sized("one short split of windows and padding", [4, 1, 100], [4, 2, 8], {
    places: [99, PADDING, 70, 9],
    starts: [65, 0, 3, 10],
  }),
  sized("a few queries, backwards, in ragged chunks of heads", [2, 3, 140], [3, 1, 36], {
    places: [132, 131, 130, 64, 140, PADDING],
    starts: [5, 4, 3, 0, 0, 0],
  }),
  sized("a few nodes of a tree", [1, 4, 700], [1, 1, 8], {
    places: [126, 127, 128, 129],
    ends: range(0, 700).map((s) => TREE_ENDS[s] ?? PADDING),
  }),
  sized("a wide head", [1, 1, 70], [2, 2, 64], { places: [69] }),
  sized("a prompt, and one that is fed backwards", [2, 13, 20], [4, 2, 8], {
    places: [...range(0, 13), ...range(5, 14).toReversed(), 20, PADDING, 25, PADDING],
  }),
  sized("a chunk of windows across blocks", [1, 70, 140], [2, 2, 8], {
    places: range(60, 130),
    starts: range(60, 130).map((place) => Math.max(0, place - 20)),
  }),
  sized("trees that are over before a block begins", [1, 120, 130], [2, 1, 8], {
    places: range(10, 130),
    ends: TREE_ENDS,
  }),
  sized("blocks that are all padding", [2, 70, 80], [1, 1, 3], {
    places: [...range(0, 3), ...Array<number>(137).fill(PADDING)],
  }),
  sized("queries that see nothing", [1, 5, 8], [2, 1, 3], {
    places: range(0, 5),
    starts: [0, 2, 0, 4, 0],
    ends: [1, 0, 0, 0, PADDING, 0, 0, 0],
  }),
];

for (const { name: way, on, variant } of ways) {
  for (const at of CASES) {
    test(`cachedAttention() ${way} over ${at.name} matches float64, twice`, async () => {
      const inputs = inputsOf(at);
      const op = (tape: Tape, tensors: ReturnType<typeof inputTensors>) =>
        cachedAttention(tape, tensors, at);
      const { y } = await runOp(on, variant, { inputs, op });
      const { q, k, v } = inputs;
      const heads = { q: q.values, k: k.values, v: v.values };
      assertClose(y, cachedAttentionReference(heads, at), { what: "y", ...TOLERANCE });
      const again = await runOp(on, variant, { inputs, op });
      assert.deepEqual(again.y, y, "a second run must give the same bits");
    });
  }
}

for (const { name: way, on, variant } of ways) {
  test(`cachedAttention() ${way} forgets what an earlier replay of its plan has seen`, async () => {
    const steps = [
      { place: 699, start: 0 },
      { place: 699, start: 513 },
      { place: 100, start: 0 },
      { place: 5, start: 6 },
      { place: PADDING, start: 0 },
    ].map(({ place, start }) =>
      sized("", [1, 1, 700], [4, 2, 8], { places: [place], starts: [start] }),
    );
    const inputs = inputsOf(steps[0]!);
    const tensors = inputTensors(on, inputs);
    const tape = new Tape({ variant, subgroupSize: on.subgroupSize });
    const y = cachedAttention(tape, tensors, steps[0]!);
    const plan = await new Plan(on, tape, { keep: [y] }).compile();
    const heads = { q: inputs.q.values, k: inputs.k.values, v: inputs.v.values };
    for (const at of steps) {
      on.write(tensors.places, Uint32Array.from(at.places));
      on.write(tensors.starts, Uint32Array.from(at.starts));
      plan.run();
      const what = `y from ${at.starts[0]} to ${at.places[0]}`;
      assertClose((await plan.read(y))[0]!, cachedAttentionReference(heads, at), {
        what,
        ...TOLERANCE,
      });
    }
    plan.destroy();
  });

  test(`cachedAttention() ${way} gives a query the same bits whatever is beside it`, async () => {
    for (const seqLen of [4, 10]) {
      const sizes: Sizes = [2, seqLen, 700];
      const fill = (begin: number) => range(begin, begin + seqLen);
      const at = sized("", sizes, [1, 1, 8], {
        places: [...fill(550), ...fill(20)],
        // Another query begins earlier, so that the walk does.
        starts: range(0, 2 * seqLen).map((t) => [5, 14][t] ?? 0),
      });
      const inputs = inputsOf(at);
      const alone = {
        ...inputs,
        q: { ...inputs.q, values: inputs.q.values.map((x, i) => (i < 2 * 8 ? x : 7)) },
        // Another row's cache, and places that the first two queries do not see.
        k: { ...inputs.k, values: inputs.k.values.map((x, i) => (i < 552 * 8 ? x : 1e3)) },
        v: { ...inputs.v, values: inputs.v.values.map((x, i) => (i < 552 * 8 ? x : 1e30)) },
        places: {
          ...inputs.places,
          values: inputs.places.values.map((place, i) => (i < 2 ? place : PADDING)),
        },
      };
      const op = (tape: Tape, tensors: ReturnType<typeof inputTensors>) =>
        cachedAttention(tape, tensors, at);
      const among = await runOp(on, variant, { inputs, op });
      const single = await runOp(on, variant, { inputs: alone, op });
      assert.deepEqual(single.y.subarray(0, 16), among.y.subarray(0, 16));
      assert.ok(single.y.subarray(16).every((value) => value === 0));
    }
  });
}

test("cachedAttention() survives scores far apart", async () => {
  for (const seqLen of [1, 5]) {
    const at = sized("", [1, seqLen, 700], [4, 2, 8], {
      places: [600, ...Array<number>(seqLen - 1).fill(PADDING)],
    });
    const inputs = inputsOf(at);
    inputs.q.values.fill(300);
    inputs.k.values.fill(-300).fill(300, 5 * 16, 6 * 16);
    const [one, two] = [inputs.v.values.subarray(80, 88), inputs.v.values.subarray(88, 96)];
    const expected = [one, one, two, two].flatMap((head) => [...head]);
    for (const { on, variant } of ways) {
      const { y } = await runOp(on, variant, {
        inputs,
        op: (tape, t) => cachedAttention(tape, t, at),
      });
      assertClose(y.subarray(0, 32), expected, { what: "y", rtol: 0, atol: 0 });
    }
  }
});

/** Storage rounds at 2^-11; f16 queries are rounded once more on their way out. */
const F16_TOLERANCE = { rtol: 2 ** -11 + 1e-5, atol: 1e-5 };

test(
  "cachedAttention() reads caches and queries of halves",
  { skip: withoutFloat16(gpu) },
  async () => {
    const half = ({ shape, values }: { shape: readonly number[]; values: Float32Array }) =>
      ({ shape, values: toFloat16(values), dtype: "f16" }) as const;
    const rounded = ({ values }: { values: Float32Array }) =>
      fromFloat16(toFloat16(values).buffer, values.length);
    for (const { on, variant } of ways) {
      for (const seqLen of [1, 5]) {
        const at = sized("", [1, seqLen, 150], [2, 1, 8], { places: range(140, 140 + seqLen) });
        const inputs = inputsOf(at);
        const halves = { ...inputs, k: half(inputs.k), v: half(inputs.v) };
        const op = (tape: Tape, tensors: ReturnType<typeof inputTensors>) =>
          cachedAttention(tape, tensors, at);
        const heads = { q: inputs.q.values, k: rounded(inputs.k), v: rounded(inputs.v) };
        const cached = await runOp(on, variant, { inputs: halves, op });
        assertClose(cached.y, cachedAttentionReference(heads, at), { what: "y", ...TOLERANCE });
        // Queries are stored in one line of each kernel: blocks of them take it once.
        if (seqLen > 1 && on !== gpu) continue;
        const all = await runOp(on, variant, { inputs: { ...halves, q: half(inputs.q) }, op });
        const expected = cachedAttentionReference({ ...heads, q: rounded(inputs.q) }, at);
        assertClose(all.y, expected, { what: "y in halves", ...F16_TOLERANCE });
      }
    }
  },
);

test("cachedAttention() refuses shapes and types that do not fit, and says what it got", () => {
  const at = sized("", [2, 1, 5], [2, 1, 4], { places: [0, 0] });
  const tensors = inputTensors(gpu, inputsOf(at));
  const tape = new Tape(gpu);
  const record = (inputs: Partial<typeof tensors>, sizes: Partial<Case> = {}) => {
    const all: Record<keyof typeof tensors, Tensor> = { ...tensors, ...inputs };
    return () => cachedAttention(tape, all, { ...at, ...sizes });
  };
  assert.throws(record({}, { capacity: 4 }), {
    name: "RangeError",
    message:
      "Cannot apply cachedAttention() with 2 heads of 4 and 1 for keys, seqLen 1, capacity 4: shapes must fit, " +
      "got q [2, 8] f32, k [10, 4] f32, v [10, 4] f32, places [2] u32, starts [2] u32, ends [10] u32",
  });
  assert.throws(record({}, { numKvHeads: 2 }), RangeError);
  assert.throws(record({ ends: tensors.places }), RangeError);
  assert.throws(record({ starts: tensors.ends }), RangeError);
  const floats = gpu.tensor([2], { label: "places" });
  assert.throws(record({ places: floats }), TypeError);
  assert.equal(tape.dispatches.length, 0);
});
