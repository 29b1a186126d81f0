import assert from "node:assert/strict";
import type { Gpu, Variant } from "../../engine/gpu.ts";
import { packedMatmul, type PackedLayout } from "../../engine/ops/packed_matmul.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { packedMatmulReference, type Product } from "../reference/packed_matmul.ts";
import { assertClose, uniform } from "../support.ts";

// Dot products of up to 100 terms in [-1, 1): f32 rounds each partial sum, of size up to 20.
const TOLERANCE = { rtol: 2e-6, atol: 1e-5 };

export const DTYPES = ["f32", "f16", "bf16", "int8", "int4"] as const satisfies WeightDType[];

/** A product to run: what the reference needs, and how the weight is stored. */
export interface Case extends Product {
  readonly layout: PackedLayout;
  readonly dtype: WeightDType;
  readonly packed: ReturnType<typeof pack>;
}

/**
 * Rows of `a`, and a weight `[dOut, dIn]`: rows of every alignment, blocks whole and ragged, less
 * and more than one tile, more than one workgroup; windows of wider matrices, begun at odd columns.
 */
export const SHAPES = [
  { numRows: 1, dOut: 5, dIn: 33, aStride: 33, aBegin: 0, cStride: 33, cBegin: 0 },
  { numRows: 3, dOut: 37, dIn: 70, aStride: 71, aBegin: 1, cStride: 80, cBegin: 9 },
  { numRows: 8, dOut: 96, dIn: 64, aStride: 96, aBegin: 0, cStride: 96, cBegin: 0 },
  { numRows: 17, dOut: 1, dIn: 1, aStride: 2, aBegin: 0, cStride: 2, cBegin: 1 },
  { numRows: 65, dOut: 67, dIn: 99, aStride: 101, aBegin: 1, cStride: 100, cBegin: 0 },
  { numRows: 70, dOut: 72, dIn: 72, aStride: 72, aBegin: 0, cStride: 72, cBegin: 0 },
  { numRows: 10, dOut: 20, dIn: 36, aStride: 36, aBegin: 0, cStride: 36, cBegin: 0 },
] as const;

/**
 * Shapes that each dtype takes: what it has of its own meets every kernel, and every alignment
 * meets one dtype that it matters to, since each pair is another kernel to compile. f16 and bf16
 * differ in a single function; blocks are loaded alike whatever their alignment.
 */
const SHAPES_OF: Readonly<Record<WeightDType, readonly (typeof SHAPES)[number][]>> = {
  f32: SHAPES,
  f16: [SHAPES[1], SHAPES[3], SHAPES[4], SHAPES[6]],
  bf16: [SHAPES[0], SHAPES[2], SHAPES[5]],
  int8: [SHAPES[1], SHAPES[2], SHAPES[4]],
  int4: [SHAPES[0], SHAPES[2], SHAPES[3], SHAPES[4], SHAPES[5]],
};

/** A product of one of the shapes. */
export function caseOf(
  layout: PackedLayout,
  dtype: WeightDType,
  shape: (typeof SHAPES)[number],
): Case {
  const { numRows, dOut, dIn, aBegin, cBegin } = shape;
  const [depth, numColumns] = layout === "nt" ? [dIn, dOut] : [dOut, dIn];
  const aStride = Math.max(shape.aStride, aBegin + depth);
  const cStride = Math.max(shape.cStride, cBegin + numColumns);
  const packed = pack(uniform(dOut * dIn, 2), [dOut, dIn], dtype);
  return {
    layout,
    dtype,
    numRows,
    numColumns,
    depth,
    aStride,
    aBegin,
    cStride,
    cBegin,
    a: uniform(numRows * aStride, 1),
    packed,
    weight: unpack(packed, [dOut, dIn], dtype),
    // As linear() has it: forward stores with a bias, backward adds.
    bias: layout === "nt" ? uniform(cStride, 3) : undefined,
    c: uniform(numRows * cStride, 4),
    accumulate: layout === "nn",
  };
}

/** How to run: by which kernels, and in which subgroups. @default {those of the device} */
interface RunOptions {
  readonly variant: Variant;
  readonly subgroupSize?: number;
}

/** Runs cases in one plan; gives `c` of each. */
export async function run(
  gpu: Gpu,
  cases: readonly Case[],
  options: RunOptions,
): Promise<Float32Array[]> {
  const { tape, outputs } = record(gpu, cases, options);
  return replay(gpu, tape, outputs);
}

/** Records cases; gives the tensors of `c`. */
export function record(gpu: Gpu, cases: readonly Case[], options: RunOptions) {
  const tape = new Tape({ subgroupSize: gpu.subgroupSize, ...options });
  const outputs = cases.map((each) => {
    const { layout, dtype, numRows, numColumns, depth, aBegin, cBegin, accumulate } = each;
    const shape = layout === "nt" ? [numColumns, depth] : [depth, numColumns];
    const c = gpu.tensor([numRows, each.cStride], { label: "c", values: each.c });
    packedMatmul(tape, layout, {
      a: gpu.tensor([numRows, each.aStride], { label: "a", values: each.a }),
      b: gpu.tensor(shape, { label: "b", dtype, values: each.packed }),
      c,
      bias: each.bias && gpu.tensor([each.cStride], { label: "bias", values: each.bias }),
      aColumns: { begin: aBegin, end: aBegin + depth },
      cColumns: { begin: cBegin, end: cBegin + numColumns },
      accumulate,
    });
    return c;
  });
  return { tape, outputs };
}

/** Runs what was recorded once; values of the outputs. */
export async function replay(
  gpu: Gpu,
  tape: Tape,
  outputs: readonly (Tensor & { readonly buffer: GPUBuffer })[],
): Promise<Float32Array[]> {
  const plan = await new Plan(gpu, tape).compile();
  plan.run();
  const results = await Promise.all(outputs.map((c) => gpu.read(c)));
  plan.destroy();
  return results;
}

/** A product of nothing but its sizes and values: no windows, no bias, stored. */
export function plain(
  dtype: WeightDType,
  { a, weight }: Record<"a" | "weight", Float32Array<ArrayBuffer>>,
  {
    layout = "nt",
    numRows = 1,
  }: { readonly layout?: PackedLayout; readonly numRows?: number } = {},
): Case {
  const depth = a.length / numRows;
  const numColumns = weight.length / depth;
  const shape = layout === "nt" ? [numColumns, depth] : [depth, numColumns];
  return {
    layout,
    dtype,
    numRows,
    numColumns,
    depth,
    a,
    weight,
    packed: pack(weight, shape, dtype),
    aStride: depth,
    aBegin: 0,
    cStride: numColumns,
    cBegin: 0,
    c: new Float32Array(numRows * numColumns),
    bias: undefined,
    accumulate: false,
  };
}

/** Checks results against float64. */
export function check(cases: readonly Case[], results: readonly Float32Array[]): void {
  cases.forEach((each, index) => {
    const { layout, dtype, numRows, numColumns, depth } = each;
    const what = `${layout} of ${numRows} rows, ${depth} to ${numColumns}, ${dtype}`;
    assertClose(results[index]!, packedMatmulReference(each), { what, ...TOLERANCE });
  });
}

/** The layouts that packed weights have kernels for. */
export const LAYOUTS = ["nt", "nn"] as const satisfies PackedLayout[];

/** Products of every layout, and of the shapes among `fits`, with weights of one dtype. */
export function casesOf(
  dtype: WeightDType,
  fits: (numRows: number) => boolean = () => true,
): Case[] {
  const shapes = SHAPES_OF[dtype].filter(({ numRows }) => fits(numRows));
  return LAYOUTS.flatMap((layout) => shapes.map((shape) => caseOf(layout, dtype, shape)));
}

/**
 * Checks a product of depth 1, of so many rows and columns that it takes more workgroups than one
 * dimension of a grid has; `kernel` is the one that must have computed it.
 */
export async function checkBeyondGrid(
  gpu: Gpu,
  variant: Variant,
  at: {
    readonly layout: PackedLayout;
    readonly numRows: number;
    readonly numColumns: number;
    readonly kernel: string;
  },
): Promise<void> {
  // Small integers: their products are exact.
  const a = Float32Array.from({ length: at.numRows }, (_, m) => (m % 7) + 1);
  const weight = Float32Array.from({ length: at.numColumns }, (_, n) => (n % 251) - 125.5);
  const product = plain("bf16", { a, weight }, at);
  const { tape, outputs } = record(gpu, [product], { variant });
  const [dispatch] = tape.dispatches;
  assert.equal(dispatch!.kernel.name, at.kernel);
  assert.ok(dispatch!.workgroups > 65_535, `got ${dispatch!.workgroups} workgroups`);
  const [c] = await replay(gpu, tape, outputs);
  const begin = c!.length - 1000;
  const expected = Float32Array.from(
    { length: 1000 },
    (_, i) => a[Math.floor((begin + i) / at.numColumns)]! * weight[(begin + i) % at.numColumns]!,
  );
  assert.deepEqual(c!.subarray(begin), expected);
}
