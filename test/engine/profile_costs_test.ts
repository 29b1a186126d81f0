import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { adamWStep, ADAM_W_SCHEDULE_LENGTH } from "../../engine/ops/adam_w.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import { embedding } from "../../engine/ops/embedding.ts";
import { linear } from "../../engine/ops/linear.ts";
import { rmsNorm } from "../../engine/ops/rms_norm.ts";
import { type Cost, type CostOptions, costOf, hasCost } from "../../engine/profile/costs.ts";
import { limitMs } from "../../engine/profile/roofline.ts";
import { Tape } from "../../engine/tape.ts";
import { bytesOf, type DType, type Parameter, type Tensor } from "../../engine/tensor.ts";

/** A tensor that no device holds. */
function tensor(shape: readonly number[], dtype: DType = "f32"): Tensor {
  return { shape, dtype, purpose: "inputs", label: "x", needsGradient: false };
}

/** A parameter that no device holds. */
function parameter(shape: readonly number[]): Parameter {
  const gradient = { ...tensor(shape), purpose: "gradients", label: "d(w)" } as const;
  const buffer = {} as GPUBuffer;
  return { ...tensor(shape), purpose: "weights", needsGradient: true, buffer, gradient };
}

/** Cost of all that is recorded. */
function costOfAll(
  record: (tape: Tape) => void,
  { maxBindingBytes = Infinity, ...options }: CostOptions & { maxBindingBytes?: number } = {},
): Required<Omit<Cost, "halves">> & { readonly kernels: readonly string[] } {
  const tape = new Tape({ variant: "flat", subgroupSize: 0, maxBindingBytes });
  record(tape);
  const costs = tape.dispatches.map((dispatch) => costOf(dispatch, options));
  return {
    flops: costs.reduce((sum, { flops }) => sum + flops, 0),
    bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
    kernels: tape.dispatches.map(({ kernel }) => kernel.name),
  };
}

/** Names of the kernels that a module exports, in records as well. */
function kernelNames(value: unknown, depth = 0): string[] {
  if (typeof value !== "object" || value === null || depth > 2) return [];
  if ("code" in value && "buffers" in value) return [(value as { name?: string }).name ?? ""];
  return Object.values(value).flatMap((one) => kernelNames(one, depth + 1));
}

/** Sources are imported by the names that a folder has, which no browser can do. */
const noSources = typeof process === "undefined" ? "needs a runtime that imports sources" : false;

test("every kernel has a line that says what it costs at least", { skip: noSources }, async () => {
  const folder = new URL("../../shaders/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".wgsl.ts"));
  const names: string[] = [];
  for (const file of files) names.push(...kernelNames(await import(new URL(file, folder).href)));
  assert.ok(names.length > 50, `expected all kernels, got ${names.length}`);
  const missing = names.filter((name) => !hasCost(name));
  assert.deepEqual(missing, [], "add a line for each to engine/profile/costs.ts");
});

test("a kernel that nobody knows costs what it binds", () => {
  const kernel = { name: "toString", params: {}, buffers: { x: "read" }, code: () => "" } as const;
  const dispatch = { kernel, constants: {}, params: {}, workgroups: 1, isBackward: false };
  assert.equal(hasCost("toString"), false);
  assert.deepEqual(costOf({ ...dispatch, buffers: { x: tensor([7]) } }), { flops: 0, bytes: 28 });
});

test("a matrix product costs 2mnk, and each matrix once", () => {
  // [33, 5] · [7, 5]ᵀ
  const { flops, bytes, kernels } = costOfAll((tape) => {
    linear(tape, tensor([33, 5]), tensor([7, 5]));
  });
  assert.deepEqual(kernels, ["matmulFlat"]);
  assert.equal(flops, 2 * 33 * 7 * 5);
  assert.equal(bytes, 4 * (33 * 5 + 7 * 5 + 33 * 7));
});

test("a bias is one addition an element and one vector to read", () => {
  const cost = (bias?: Tensor) =>
    costOfAll((tape) => linear(tape, tensor([33, 5]), tensor([7, 5]), bias));
  assert.equal(cost(tensor([7])).flops - cost().flops, 33 * 7);
  assert.equal(cost(tensor([7])).bytes - cost().bytes, 4 * 7);
});

test("a product in parts costs the same operations, and reads its rows once for each part", () => {
  const record = (tape: Tape) => void linear(tape, tensor([33, 64]), tensor([96, 64]));
  const whole = costOfAll(record);
  const split = costOfAll(record, { maxBindingBytes: 4 * 64 * 48 });
  assert.equal(split.kernels.length, 2);
  assert.equal(split.flops, whole.flops);
  assert.equal(split.bytes, whole.bytes + 4 * 33 * 64);
});

test("gradients that add up are read before they are written", () => {
  const weight = parameter([7, 5]);
  const tape = new Tape({ variant: "flat", subgroupSize: 0 });
  const x = tensor([33, 5]);
  const y = linear(tape, x, weight);
  tape.backward(y, tensor([33, 7]));
  assert.deepEqual(
    tape.dispatches.map(({ isBackward }) => isBackward),
    [false, true],
  );
  const { flops, bytes } = costOf(tape.dispatches[1]!);
  assert.equal(flops, 2 * 33 * 7 * 5);
  assert.equal(bytes, 4 * (33 * 7 + 33 * 5 + 2 * 7 * 5));
});

test("packed weights count the bytes of their blocks", () => {
  const weight = tensor([64, 96], "int4");
  const { flops, bytes } = costOfAll((tape) => linear(tape, tensor([2, 96]), weight));
  assert.equal(flops, 2 * 2 * 64 * 96);
  assert.equal(bytesOf(weight), 64 * 3 * 20);
  assert.equal(bytes, 4 * 2 * 96 + bytesOf(weight) + 4 * 2 * 64);
});

test("attention counts the pairs that a causal mask leaves, or as many as told", () => {
  const [numRows, seqLen, numHeads, numKvHeads, headDim] = [2, 4, 6, 3, 8];
  const heads = (count: number) => tensor([numRows * seqLen, count * headDim]);
  const record = (tape: Tape) =>
    void causalAttention(
      tape,
      {
        q: heads(numHeads),
        k: heads(numKvHeads),
        v: heads(numKvHeads),
        starts: tensor([numRows * seqLen], "u32"),
        ends: tensor([numRows * seqLen], "u32"),
      },
      { seqLen, numHeads, numKvHeads, headDim },
    );
  const causal = (seqLen * (seqLen + 1)) / 2; // of a row and head
  assert.equal(costOfAll(record).flops, numRows * numHeads * causal * 4 * headDim);
  const window = costOfAll(record, { seenKeys: 2 });
  assert.equal(window.flops, numRows * numHeads * seqLen * 2 * 4 * headDim);
});

test("a look-up reads the rows that are looked up, not the table", () => {
  const ids = tensor([3], "u32");
  const { flops, bytes } = costOfAll((tape) => embedding(tape, tensor([1000, 8]), ids));
  assert.equal(flops, 0);
  assert.equal(bytes, 4 * (3 * 8 + 3 + 3 * 8));
});

test("a table that is bound in parts is looked up once in all", () => {
  const ids = tensor([30], "u32");
  const record = (tape: Tape) => void embedding(tape, tensor([1024, 64]), ids);
  const split = costOfAll(record, { maxBindingBytes: 4 * 64 * 512 });
  assert.equal(split.kernels.length, 2);
  assert.equal(split.bytes, costOfAll(record).bytes + 4 * 30); // ids again
});

test("a norm reads its rows and weight, and writes rows and one number for each", () => {
  const { flops, bytes } = costOfAll((tape) => rmsNorm(tape, tensor([6, 10]), tensor([10])));
  assert.equal(flops, 4 * 6 * 10);
  assert.equal(bytes, 4 * (6 * 10 + 10 + 6 * 10 + 6));
});

test("AdamW moves weights, moments and gradient both ways", () => {
  const weight = parameter([100]);
  const state = { m: tensor([100]), v: tensor([100]) };
  const [schedule, clip] = [tensor([ADAM_W_SCHEDULE_LENGTH]), tensor([3])];
  const { flops, bytes, kernels } = costOfAll((tape) => {
    adamWStep(tape, [{ parameter: weight, state, weightDecay: 0.1 }], { schedule, clip });
  });
  assert.deepEqual(kernels, ["adamW"]);
  assert.equal(flops, 17 * 100);
  assert.equal(bytes, 4 * (2 * 4 * 100 + ADAM_W_SCHEDULE_LENGTH + 3));
});

test("the limit is that of memory or of arithmetic, and matrices serve halves alone", () => {
  const roofline = { bytesPerSecond: 100, flopsPerSecond: 1000, matrixFlopsPerSecond: 10_000 };
  assert.equal(limitMs(roofline, { flops: 500, bytes: 10 }), 500);
  assert.equal(limitMs(roofline, { flops: 500, bytes: 80 }), 800);
  assert.equal(limitMs(roofline, { flops: 5000, bytes: 1, halves: true }), 500);
  const without = { bytesPerSecond: 100, flopsPerSecond: 1000 };
  assert.equal(limitMs(without, { flops: 5000, bytes: 1, halves: true }), 5000);
});

test("caching heads rotates queries in place and moves keys and values", () => {
  const [numTokens, numHeads, numKvHeads, headDim] = [3, 4, 2, 8];
  const buffers = {
    heads: tensor([numTokens * (numHeads + 2 * numKvHeads) * headDim]),
    table: tensor([100, headDim]),
    positions: tensor([numTokens], "u32"),
    places: tensor([numTokens], "u32"),
    keys: tensor([50, numKvHeads * headDim]),
    values: tensor([50, numKvHeads * headDim]),
  };
  const { flops, bytes } = costOf({
    kernel: { name: "cacheHeads", params: {}, buffers: {}, code: () => "" },
    constants: { layout: "half", norm: false },
    params: { numTokens, numHeads, numKvHeads, numColumns: headDim },
    buffers,
    workgroups: 1,
    isBackward: false,
  });
  const [q, k] = [numTokens * numHeads * headDim, numTokens * numKvHeads * headDim];
  assert.equal(flops, 3 * (q + k)); // six for a pair
  assert.equal(bytes, 4 * (2 * q + 2 * k + 2 * k + 2 * numTokens + numTokens * headDim));
});

test("queries side by side over a cache read the keys of all of them, once", () => {
  const [numRows, seqLen, numHeads, numKvHeads, headDim, capacity] = [3, 5, 6, 2, 7, 40];
  const heads = tensor([numRows * seqLen, numHeads * headDim]);
  const cache = tensor([numRows * capacity, numKvHeads * headDim], "f16");
  const cost = (seenKeys?: number) =>
    costOf(
      {
        kernel: { name: "cachedAttention", params: {}, buffers: {}, code: () => "" },
        constants: { headDim },
        params: { numRows, seqLen, numHeads, numKvHeads, capacity },
        buffers: { q: heads, y: heads, k: cache, v: cache },
        workgroups: 1,
        isBackward: false,
      },
      seenKeys === undefined ? {} : { seenKeys },
    );
  // Behind 11 tokens, the five queries see 12 to 16 keys.
  const { flops, bytes } = cost(14);
  const pairs = numRows * numHeads * (12 + 13 + 14 + 15 + 16);
  assert.equal(flops, 4 * headDim * pairs);
  assert.equal(
    bytes,
    2 * 4 * numRows * seqLen * numHeads * headDim + 2 * 2 * numRows * 16 * numKvHeads * headDim,
  );
  assert.equal(cost().flops, 4 * headDim * numRows * numHeads * seqLen * capacity);
});
