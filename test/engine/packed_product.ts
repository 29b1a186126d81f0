import type { Gpu, Variant } from "../../engine/gpu.ts";
import { packedMatmul, type PackedLayout } from "../../engine/ops/packed_matmul.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
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
] as const;

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

/** Runs cases in one plan; gives `c` of each. */
export async function run(
  gpu: Gpu,
  cases: readonly Case[],
  options: { readonly variant: Variant; readonly subgroupSize?: number },
): Promise<Float32Array[]> {
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
): Case {
  const depth = a.length;
  const numColumns = weight.length / depth;
  return {
    layout: "nt",
    dtype,
    numRows: 1,
    numColumns,
    depth,
    a,
    weight,
    packed: pack(weight, [numColumns, depth], dtype),
    aStride: depth,
    aBegin: 0,
    cStride: numColumns,
    cBegin: 0,
    c: new Float32Array(numColumns),
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

/** Products of every layout and shape with weights of one dtype. */
export function casesOf(dtype: WeightDType): Case[] {
  return LAYOUTS.flatMap((layout) => SHAPES.map((shape) => caseOf(layout, dtype, shape)));
}
