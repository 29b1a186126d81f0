import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Variant } from "../../engine/gpu.ts";
import { packedMatmul, type PackedLayout } from "../../engine/ops/packed_matmul.ts";
import { pack, unpack, type WeightDType } from "../../engine/pack.ts";
import { Plan } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import { packedMatmulReference, type Product } from "../reference/packed_matmul.ts";
import { assertClose, openGpu, uniform } from "../support.ts";

const gpu = await openGpu();
after(() => gpu.destroy());

// Dot products of up to 100 terms in [-1, 1): f32 rounds each partial sum, of size up to 20.
const TOLERANCE = { rtol: 2e-6, atol: 1e-5 };

const DTYPES = ["f32", "f16", "bf16", "int8", "int4"] as const satisfies WeightDType[];

/** A product to run: what the reference needs, and how the weight is stored. */
interface Case extends Product {
  readonly layout: PackedLayout;
  readonly dtype: WeightDType;
  readonly packed: ReturnType<typeof pack>;
}

/**
 * Rows of `a`, and a weight `[dOut, dIn]`: rows of every alignment, blocks whole and ragged, less
 * and more than one tile, more than one workgroup; windows of wider matrices, begun at odd columns.
 */
const SHAPES = [
  { numRows: 1, dOut: 5, dIn: 33, aStride: 33, aBegin: 0, cStride: 33, cBegin: 0 },
  { numRows: 3, dOut: 37, dIn: 70, aStride: 71, aBegin: 1, cStride: 80, cBegin: 9 },
  { numRows: 8, dOut: 96, dIn: 64, aStride: 96, aBegin: 0, cStride: 96, cBegin: 0 },
  { numRows: 17, dOut: 1, dIn: 1, aStride: 2, aBegin: 0, cStride: 2, cBegin: 1 },
  { numRows: 65, dOut: 67, dIn: 100, aStride: 101, aBegin: 1, cStride: 100, cBegin: 0 },
] as const;

function caseOf(layout: PackedLayout, dtype: WeightDType, shape: (typeof SHAPES)[number]): Case {
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
    // Every other shape with a bias, every third one added to what is there.
    bias: numRows % 2 === 1 ? uniform(cStride, 3) : undefined,
    c: uniform(numRows * cStride, 4),
    accumulate: numRows % 3 === 2,
  };
}

/** Runs cases in one plan; gives `c` of each. */
async function run(
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
function plain(
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

function check(cases: readonly Case[], results: readonly Float32Array[]): void {
  cases.forEach((each, index) => {
    const { layout, dtype, numRows, numColumns, depth } = each;
    const what = `${layout} of ${numRows} rows, ${depth} to ${numColumns}, ${dtype}`;
    assertClose(results[index]!, packedMatmulReference(each), { what, ...TOLERANCE });
  });
}

const LAYOUTS = ["nt", "nn"] as const;

for (const dtype of DTYPES) {
  const cases = LAYOUTS.flatMap((layout) => SHAPES.map((shape) => caseOf(layout, dtype, shape)));

  for (const variant of ["flat", "tiled"] satisfies Variant[]) {
    test(`packedMatmul() ${variant} with ${dtype} weights matches float64, and again in every bit`, async () => {
      const results = await run(cases, { variant });
      check(cases, results);
      assert.deepEqual(await run(cases, { variant }), results);
    });
  }

  test(`packedMatmul() flat with ${dtype} weights does without subgroups, to the same bits`, async () => {
    const few = cases.filter(({ numRows }) => numRows === 3);
    const alone = await run(few, { variant: "flat", subgroupSize: 0 });
    check(few, alone);
    assert.deepEqual(alone, await run(few, { variant: "flat" }));
  });
}

test("packedMatmul() flat gives a row the same bits alone and in a batch", async () => {
  for (const dtype of ["bf16", "int4"] as const) {
    for (const layout of LAYOUTS) {
      const batch = caseOf(layout, dtype, SHAPES[4]);
      const [all] = await run([batch], { variant: "flat" });
      const { aStride, cStride } = batch;
      const singles = [0, 33, 64].map((row) => ({
        ...batch,
        numRows: 1,
        a: batch.a.slice(row * aStride, (row + 1) * aStride),
        c: batch.c.slice(row * cStride, (row + 1) * cStride),
      }));
      const results = await run(singles, { variant: "flat" });
      [0, 33, 64].forEach((row, i) =>
        assert.deepEqual(results[i], all!.slice(row * cStride, (row + 1) * cStride)),
      );
    }
  }
});

for (const variant of ["flat", "tiled"] satisfies Variant[]) {
  test(`packedMatmul() ${variant} reaches outputs beyond 65 535 workgroups`, async () => {
    // 66,000 groups of columns: of 8 lanes × 4 columns in the flat variant, of 8 in the tiled one.
    const numColumns = 66_000 * (variant === "flat" ? 8 * 4 : 8);
    const weight = Float32Array.from({ length: numColumns }, (_, n) => (n % 251) - 125);
    const product = plain("bf16", { a: Float32Array.of(0.5), weight });
    const [c] = await run([product], { variant });
    assert.deepEqual(
      c!.subarray(-1000),
      weight.subarray(-1000).map((value) => value / 2),
    );
  });

  test(`packedMatmul() ${variant} lets an infinite weight reach no row but its own`, async () => {
    for (const dtype of ["f32", "f16", "bf16"] as const) {
      const weight = uniform(3 * 5, 5).fill(Infinity, 10); // all of the last row
      const product = plain(dtype, { a: uniform(5, 6), weight });
      const [c] = await run([product], { variant });
      assert.ok(Number.isFinite(c![0]) && Number.isFinite(c![1]), `${dtype}: ${c!.join()}`);
    }
  });
}

test("packedMatmul() refuses shapes that do not fit and activations that are not f32", () => {
  const tape = new Tape({ variant: "flat", subgroupSize: 0 });
  const tensor = (shape: number[], dtype: "f32" | "f16" | "int8" | "u32", label: string) =>
    tape.activation(shape, { label, dtype });
  const c = tensor([2, 3], "f32", "c");
  const b = tensor([3, 40], "int8", "weight");
  assert.throws(() => packedMatmul(tape, "nt", { a: tensor([2, 41], "f32", "x"), b, c }), {
    name: "RangeError",
    message:
      "Cannot multiply (nt) a [2, 41] f32 by b [3, 40] int8 into c [2, 3] f32: shapes and dtypes must fit",
  });
  assert.throws(() => packedMatmul(tape, "nt", { a: tensor([2, 40], "f16", "x"), b, c }), {
    name: "TypeError",
    message: 'Cannot multiply by "weight" [3, 40] int8: "x" must be f32, got [2, 40] f16',
  });
  const ids = tensor([3, 40], "u32", "ids");
  assert.throws(() => packedMatmul(tape, "nt", { a: tensor([2, 40], "f32", "x"), b: ids, c }), {
    name: "TypeError",
    message:
      'Cannot multiply by "ids": a weight must be f32, f16, bf16, int8 or int4, got [3, 40] u32',
  });
});
