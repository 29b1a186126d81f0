/**
 * Checks the kernels that share loads in subgroups, with subgroups on and off, and prints their
 * size. Run by `subgroups_test.ts` in processes whose software driver has other sizes.
 */
import assert from "node:assert/strict";
import { causalAttention } from "../../engine/ops/attention.ts";
import { cachedAttention } from "../../engine/ops/cached_attention.ts";
import { linear } from "../../engine/ops/linear.ts";
import { checkTransformer } from "../model/check_transformer.ts";
import { TINY_MODELS } from "../model/tiny_model.ts";
import { attentionReference } from "../reference/attention.ts";
import { cachedAttentionReference } from "../reference/cached_attention.ts";
import { linearReference } from "../reference/linear.ts";
import { assertClose, openGpu, uniform } from "../support.ts";
import { inputsOf, sized } from "./cached_case.ts";
import { checkOp } from "./check_op.ts";
import { caseOf, check, LAYOUTS, run, SHAPES } from "./packed_product.ts";
import { runOp } from "./run_op.ts";
import { rightTokens, rowsOf } from "./sampling_case.ts";
import { sample } from "./sampling_run.ts";

const values = (shape: number[], seed: number) => ({
  shape,
  values: uniform(
    shape.reduce((a, b) => a * b),
    seed,
  ),
});
// Dot products of up to 37 terms in [-1, 1), rounded at 6e-8.
const TOLERANCE = { rtol: 1e-5, atol: 1e-5 };

const gpu = await openGpu({ variant: "flat" });

// Rows that fill two register tiles and a bit, columns that fill a few lanes of the last one.
await checkOp(gpu, "flat", {
  inputs: { x: values([35, 37], 1), weight: values([67, 37], 2), bias: values([67], 3) },
  op: (tape, t) => linear(tape, t.x, t.weight, t.bias),
  reference: linearReference,
  tolerance: TOLERANCE,
});

// A run of eight packed weights takes two loads in subgroups of 4, and half of one in those of 16.
const products = LAYOUTS.flatMap((layout) => [
  caseOf(layout, "int8", SHAPES[1]),
  caseOf(layout, "int4", SHAPES[4]),
]);
check(products, await run(gpu, products, { variant: "flat" }));

// Heads of one load of 4, and of 9: more than 4 or 8 lanes take at once.
for (const headDim of [4, 36]) {
  const sizes = { numRows: 1, seqLen: 19, numHeads: 2, numKvHeads: 1, headDim };
  await checkOp(gpu, "flat", {
    inputs: {
      q: values([19, 2 * headDim], 1),
      k: values([19, headDim], 2),
      v: values([19, headDim], 3),
      starts: { shape: [19], values: new Uint32Array(19) },
      ends: { shape: [19], values: new Uint32Array(19).fill(19) },
    },
    op: (tape, t) => causalAttention(tape, t, sizes),
    reference: (at) => attentionReference(at, { ...sizes, visible: (_row, t, s) => s <= t }),
    tolerance: TOLERANCE,
  });
}

// A cache of two splits, whose parts are the sums of a subgroup; and a block of queries.
for (const seqLen of [1, 5]) {
  const places = Array.from({ length: seqLen }, (_, t) => 590 + t);
  const at = sized("", [1, seqLen, 600], [2, 1, 8], { places });
  const inputs = inputsOf(at);
  const { y } = await runOp(gpu, "flat", { inputs, op: (tape, t) => cachedAttention(tape, t, at) });
  const heads = { q: inputs.q.values, k: inputs.k.values, v: inputs.v.values };
  assertClose(y, cachedAttentionReference(heads, at), { what: "y of a cache", ...TOLERANCE });
}

// Rows whose lists of candidates are ragged among the lanes of a subgroup, for all settings.
const rows = rowsOf(517, 0);
const { tokens } = await sample(gpu, "flat in subgroups", rows);
rows.forEach((row, i) => {
  const right = [...rightTokens(row)];
  assert.ok(
    right.includes(tokens[i]!),
    `row ${i}: expected ${right.join(" or ")}, got ${tokens[i]}`,
  );
});

const model = TINY_MODELS["like Llama, with grouped heads"]!;
await checkTransformer(gpu, model);
const without = await openGpu({ variant: "flat", subgroups: false });
await checkTransformer(without, model);
console.log(JSON.stringify({ on: gpu.subgroupSize, off: without.subgroupSize }));
gpu.destroy();
without.destroy();
