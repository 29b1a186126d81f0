import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import type { Variant } from "../../engine/gpu.ts";
import { add } from "../../engine/ops/add.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { sortIntoSegments, TokenInput } from "../../engine/segments.ts";
import { Tape } from "../../engine/tape.ts";
import { embeddingReference } from "../reference/embedding.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { checkFloat16, checkOp, withoutFloat16 } from "./check_op.ts";
import { runOp } from "./run_op.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Sums of up to 200 gradients in [-1, 1); f32 rounds each partial sum, of size up to 10.
const TOLERANCE = { rtol: 1e-6, atol: 1e-5 };

/** Ids of which the first is by far the most frequent, and some never occur. */
function idsOf(numTokens: number, vocabSize: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(uniform(numTokens, 7), (value) =>
    Math.floor(Math.max(0, value) * vocabSize),
  );
}

function tokensOf(ids: Uint32Array<ArrayBuffer>, vocabSize: number): TokenInput {
  const tokens = new TokenInput(gpu, { numTokens: ids.length, vocabSize });
  tokens.write(ids);
  return tokens;
}

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  // One; odd; a workgroup's width exactly; more tokens than rows; more rows than tokens.
  for (const [numTokens, vocabSize, dModel] of [
    [1, 1, 1],
    [7, 5, 3],
    [16, 8, 32],
    [300, 11, 5],
    [9, 40, 37],
  ] as const) {
    const ids = idsOf(numTokens, vocabSize);
    const inputs = {
      table: { shape: [vocabSize, dModel], values: uniform(vocabSize * dModel, 1) },
    };

    test(`embedding() ${variant} of ${numTokens} tokens in [${vocabSize}, ${dModel}] matches float64, forward and backward`, () =>
      checkOp(gpu, variant, {
        inputs,
        op: (tape, t) => embedding(tape, t.table, tokensOf(ids, vocabSize)),
        reference: ({ table }) => embeddingReference(table, ids, dModel),
        tolerance: TOLERANCE,
      }));
  }

  test(`embedding() ${variant} adds up where a table is looked up twice`, async () => {
    const ids = idsOf(6, 4);
    const others = ids.toReversed();
    await checkOp(gpu, variant, {
      inputs: { table: { shape: [4, 3], values: uniform(12, 1) } },
      op: (tape, t) =>
        add(
          tape,
          embedding(tape, t.table, tokensOf(ids, 4)),
          embedding(tape, t.table, tokensOf(others, 4)),
        ),
      reference: ({ table }) => {
        const other = embeddingReference(table, others, 3);
        return embeddingReference(table, ids, 3).map((value, i) => value + other[i]!);
      },
      tolerance: TOLERANCE,
    });
  });

  test(`embedding() ${variant} reaches tokens and segments beyond 65 535 workgroups`, async () => {
    const ids = Uint32Array.from({ length: 65_600 }, (_, i) => 65_599 - i);
    const values = uniform(ids.length, 1);
    const dy = uniform(ids.length, 2);
    const { y, gradients } = await runOp(gpu, variant, {
      inputs: { table: { shape: [ids.length, 1], values } },
      op: (tape, t) => embedding(tape, t.table, tokensOf(ids, ids.length)),
      dy,
    });
    assert.deepEqual(y, values.toReversed());
    assert.deepEqual(gradients.table, dy.toReversed());
  });
}

test("embedding() looks up halves", { skip: withoutFloat16(gpu) }, () => {
  const ids = idsOf(9, 6);
  return checkFloat16(gpu, "flat", {
    inputs: { table: { shape: [6, 5], values: uniform(30, 1) } },
    op: (tape, t) => embedding(tape, { ...t.table, needsGradient: false }, tokensOf(ids, 6).ids),
    reference: ({ table }) => embeddingReference(table, ids, 5),
    forwardOnly: true,
  });
});

test("embedding() replays with the ids of each step, and never reads beyond the table", async () => {
  const tokens = new TokenInput(gpu, { numTokens: 4, vocabSize: 3 });
  const table = { shape: [3, 1], values: new Float32Array([1, 2, 3]) };
  const run = async () => {
    const { y } = await runOp(gpu, "flat", {
      inputs: { table },
      op: (tape, t) => embedding(tape, t.table, tokens),
    });
    return [...y];
  };
  tokens.write(new Uint32Array([2, 0, 1, 2]));
  assert.deepEqual(await run(), [3, 1, 2, 3]);
  tokens.write(new Uint32Array([0, 0, 0, 1]));
  assert.deepEqual(await run(), [1, 1, 1, 2]);
  gpu.write(tokens.ids, new Uint32Array([0, 3, 0xffff_ffff, 1]));
  assert.deepEqual(await run(), [1, 3, 3, 2]);
  tokens.destroy();
});

test("embedding() of the same tokens gives the gradient of one replay twice in two", async () => {
  const ids = idsOf(50, 4);
  const run = {
    inputs: { table: { shape: [4, 3], values: uniform(12, 1) } },
    op: (tape: Tape, t: { table: Parameters<typeof embedding>[1] }) =>
      embedding(tape, t.table, tokensOf(ids, 4)),
    dy: uniform(150, 2),
  };
  const once = await runOp(gpu, "flat", run);
  const twice = await runOp(gpu, "flat", { ...run, runs: 2 });
  const expected = once.gradients.table.map((value) => 2 * value);
  assertClose(twice.gradients.table, expected, { what: "dTable", rtol: 0, atol: 0 });
});

test("sortIntoSegments() lists every position once, under its own id, in ascending order", () => {
  const sizes = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(1000), { maxLength: 60 }), (vocabSize, seeds) => {
      const ids = Uint32Array.from(seeds, (seed) => seed % vocabSize);
      const { order, starts, segmentIds } = sortIntoSegments(ids, vocabSize);
      assert.equal(segmentIds.length, Math.min(ids.length, vocabSize));
      const expected = [...new Set(ids)]
        .toSorted((a, b) => a - b)
        .map((id) => [id, [...ids.keys()].filter((position) => ids[position] === id)]);
      const segments = Array.from(segmentIds, (id, s) => [
        id,
        [...order.subarray(starts[s], starts[s + 1])],
      ]);
      assert.deepEqual(segments.slice(0, expected.length), expected);
      assert.ok(
        starts.slice(expected.length).every((start) => start === ids.length),
        "unused segments are empty",
      );
    }),
  );
});

test("TokenInput.write() names the position of an id out of range", () => {
  const tokens = new TokenInput(gpu, { numTokens: 3, vocabSize: 5 });
  assert.throws(() => tokens.write(new Uint32Array([0, 5, 1])), {
    name: "RangeError",
    message: "Cannot embed the token at position 1: ids must be below 5, got 5",
  });
  assert.throws(() => tokens.write(new Uint32Array(2)), {
    name: "RangeError",
    message: 'Cannot write "tokens.ids": expected 3 ids, got 2',
  });
  tokens.destroy();
});

test("embedding() throws when a trained table comes without segments, or of another vocabulary", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: gpu.subgroupSize });
  const table = gpu.parameter([5, 2], { label: "table" });
  const ids = gpu.tensor([3], { label: "ids", dtype: "u32" });
  assert.throws(() => embedding(tape, table, ids), {
    name: "TypeError",
    message:
      'Cannot apply embedding() to "table": a trained table must be a parameter looked up by a TokenInput, got ids without segments',
  });
  assert.throws(() => embedding(tape, table, new TokenInput(gpu, { numTokens: 3, vocabSize: 4 })), {
    name: "RangeError",
    message:
      "Cannot apply embedding(): table must be [4, dModel] as the tokens are, got [5, 2] f32",
  });
});
