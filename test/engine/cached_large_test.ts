import assert from "node:assert/strict";
import { after, test } from "node:test";
import { cachedAttention } from "../../engine/ops/cached_attention.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { lanesOf } from "../../engine/lanes.ts";
import { combineSplits } from "../../shaders/combine_splits.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { cachedAttentionReference } from "../reference/cached_attention.ts";
import { assertClose, uniform } from "../support.ts";
import { inputsOf, openWays, range, sized, TOLERANCE } from "./cached_case.ts";
import { runOp } from "./run_op.ts";

const { gpu, plain, ways } = await openWays();
after(() => {
  gpu.destroy();
  plain.destroy();
});

/**
 * Queries that see nothing but their own key. Alone, each lane of the flat variant leaves a part of
 * its own, so that 8 heads take as many workgroups to combine as to decode.
 */
const BEYOND_GRID = [
  { pass: "decode", sizes: [66_000, 1, 1], heads: { flat: [8, 1, 1], tiled: [1, 1, 1] } },
  { pass: "walk", sizes: [8_250, 5, 5], heads: { flat: [8, 8, 1], tiled: [8, 8, 1] } },
] as const;

for (const { name: way, on, variant } of ways) {
  for (const { pass, sizes, heads } of BEYOND_GRID) {
    test(`cachedAttention() ${way} reaches rows beyond 65 535 workgroups to ${pass}`, async () => {
      const [numRows, seqLen, capacity] = sizes;
      const [numHeads, numKvHeads, headDim] = heads[variant];
      const places = range(0, numRows * seqLen).map((token) => token % seqLen);
      const at = sized("", sizes, [numHeads, numKvHeads, headDim], { places, starts: places });
      const inputs = inputsOf(at);
      let least = 0;
      const { y } = await runOp(on, variant, {
        inputs,
        op: (tape, t) => {
          const result = cachedAttention(tape, t, at);
          least = Math.min(...tape.dispatches.map(({ workgroups }) => workgroups));
          return result;
        },
      });
      assert.ok(least > 65_535, `got ${least} workgroups`);
      const group = numHeads / numKvHeads;
      const expected = y.map((_, i) => {
        const [head, element] = [Math.floor(i / headDim) % numHeads, i % headDim];
        const token = Math.floor(i / headDim / numHeads);
        const key = Math.floor(token / seqLen) * capacity + places[token]!;
        return inputs.v.values[(key * numKvHeads + Math.floor(head / group)) * headDim + element]!;
      });
      assertClose(y, expected, { what: "y", rtol: 1e-6, atol: 0 });
    });
  }

  test(`cachedAttention() ${way} splits a long cache into 64 parts at most`, async () => {
    const at = sized("", [2, 1, 40_000], [4, 2, 8], {
      places: [39_990, 20_000],
      starts: [3, 19_000],
    });
    const inputs = inputsOf(at);
    let numSplits = 0;
    const { y } = await runOp(on, variant, {
      inputs,
      op: (tape, t) => {
        const result = cachedAttention(tape, t, at);
        const { splitLength } = tape.dispatches[0]!.params;
        numSplits = Math.ceil(at.capacity / splitLength!);
        return result;
      },
    });
    assert.ok(numSplits > 60 && numSplits <= 64, `got ${numSplits} splits`);
    const heads = { q: inputs.q.values, k: inputs.k.values, v: inputs.v.values };
    assertClose(y, cachedAttentionReference(heads, at), { what: "y", ...TOLERANCE });
  });
}

test("combineSplits() tiled reaches vectors beyond 65 535 workgroups", async () => {
  // One part of one split each; an attention with as many parts takes 6 s on a software adapter.
  const [numTokens, numHeads] = [65_600, 64];
  const length = numTokens * numHeads;
  const values = uniform(length, 1);
  const f32 = (shape: number[], from: Float32Array<ArrayBuffer>) =>
    gpu.tensor(shape, { label: "parts", values: from });
  const zeros = gpu.tensor([numTokens], { label: "places", dtype: "u32" });
  const tape = new Tape({ variant: "tiled", subgroupSize: 0 });
  const lanes = lanesOf("tiled");
  const y = tape.activation([length], { label: "y" });
  tape.dispatch(combineSplits, {
    constants: { headDim: 1, storage: "f32", ...lanes },
    params: { length, numHeads, capacity: 1, splitLength: 1, partsOfSplit: 1 },
    buffers: {
      sums: f32([length], values),
      stats: f32(
        [length, 2],
        new Float32Array(2 * length).map((_, i) => 2 * (i % 2)),
      ),
      places: zeros,
      starts: zeros,
      y,
    },
    workgroups: laneWorkgroups(lanes, length),
  });
  const plan = await new Plan(gpu, tape, { keep: [y] }).compile();
  plan.run();
  const [halves] = await plan.read(y);
  assert.deepEqual(
    halves!.subarray(0, length),
    values.map((value) => value / 2),
  );
  plan.destroy();
});
