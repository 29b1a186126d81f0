import assert from "node:assert/strict";
import { after, test } from "node:test";
import { MATMUL } from "../../engine/ops/matmul_tunable.ts";
import type { Choice } from "../../engine/tuning/tunable.ts";
import { LEAST_TRAITS } from "../../engine/tuning/traits.ts";
import { openGpu } from "../support.ts";
import { withoutFloat16 } from "./check_op.ts";
import { candidatesOf, checkProducts, type MatmulCase, problemOf } from "./matmul_case.ts";

const gpu = await openGpu({ variant: "tiled" });
after(() => gpu.destroy());
const skip = withoutFloat16(gpu);

const LAYOUTS = ["nn", "nt", "tn"] as const;
const STORAGES = [
  ["f32", "f32", "f32"],
  ["f16", "f16", "f16"],
  ["f16", "f32", "f32"],
  ["f32", "f16", "f16"],
] as const;

// Rows are vectors of four; odd. More than a tile of 64, less than two; each depth is ragged.
const SHAPES = [
  { numRows: 68, numColumns: 76, depth: 44 },
  { numRows: 67, numColumns: 75, depth: 37 },
] as const;

/** A product of one layout, shape and storage. */
function caseOf(layout: (typeof LAYOUTS)[number], shape: number, storage: number): MatmulCase {
  return { ...SHAPES[shape % 2]!, layout, numBatches: 1, storage: STORAGES[storage % 4]! };
}

/** All that may be done to a product; what is stored beyond its edges is added to its last element. */
const EPILOGUE = { bias: true, residual: true, scale: 0.5, accumulate: true } as const;

// A software driver takes long to compile lanes of 8 × 8: the largest of them stand for the others,
// which differ in sizes alone, or in fetching ahead as others do.
const isQuick = ({ tileDepth, laneRows, laneColumns, tileRows, prefetch }: Choice): boolean =>
  Number(laneRows) * Number(laneColumns) < 64 ||
  (tileDepth === 8 && tileRows === 128 && prefetch === false);
const ways = candidatesOf(gpu, "tiled", caseOf("nn", 0, 0)).filter(
  (choice) => choice["kernel"] === "tiled" && isQuick(choice),
);
// Every way with one layout, shape and storage, which take turns. The epilogue is the same in all:
// it is checked below, in the smallest tile, with vectors, odd rows and halves.
for (const [index, choice] of ways.entries()) {
  const layout = LAYOUTS[(2 * index) % 3]!;
  test(`matmul() ${layout} in ${JSON.stringify(choice)} matches float64`, { skip }, () =>
    checkProducts(gpu, "tiled", [{ ...caseOf(layout, index, index >> 1), choice }]),
  );
}
for (const [index, layout] of LAYOUTS.entries()) {
  // Vectors and odd rows of f32, then halves and the two mixtures in turns.
  for (const [shape, storage] of [
    [0, 0],
    [1, 0],
    [index, 1 + index],
  ] as const) {
    const isFull = storage > 0 || shape === index;
    const one = { ...caseOf(layout, shape, storage), ...(isFull && EPILOGUE) };
    test(
      `matmul() ${layout} of ${one.storage.join(", ")} by ${one.depth} terms matches float64`,
      { skip },
      () => checkProducts(gpu, "tiled", [one]),
    );
  }

  // 1030 terms in parts of whole steps, the last one ragged; and in vectors.
  for (const sizes of [
    { numRows: 33, numColumns: 35, depth: 1030 },
    { numRows: 36, numColumns: 40, depth: 1028 },
  ]) {
    const whole: MatmulCase = {
      ...sizes,
      ...EPILOGUE,
      layout,
      numBatches: 1,
      storage: STORAGES[0],
      activation: "silu",
      scale: 0.25,
    };
    test(`matmul() ${layout} of ${sizes.depth} terms in parts matches float64`, () => {
      // Two numbers of parts are one kernel.
      const splits = candidatesOf(gpu, "tiled", whole).filter(
        (choice) => Number(choice["splits"]) > 1 && choice["laneRows"] === 4,
      );
      assert.ok(splits.length >= 2, "a long depth must be worth splitting");
      return checkProducts(
        gpu,
        "tiled",
        splits.map((choice) => ({ ...whole, choice })),
      );
    });
  }
}

test("matmul() has ways for every device, of which the first is the default", () => {
  const least = { variant: "tiled", subgroupSize: 0, traits: LEAST_TRAITS } as const;
  for (const [numRows, numColumns, depth] of [
    [1, 1, 1],
    [33, 4000, 20],
    [4096, 4096, 4096],
    [64, 64, 100_000],
  ] as const) {
    const shape = { layout: "nt", numRows, numColumns, depth, numBatches: 1 } as const;
    const alignment = { a: 1, b: 1, c: 1, depth: 1 };
    const storage = { a: "f32", b: "f32", c: "f32" } as const;
    const choices = MATMUL.candidates(least, { ...shape, alignment, storage });
    assert.ok(choices.length > 0);
    for (const choice of choices) {
      const { tileRows, tileColumns, tileDepth, laneRows, laneColumns } = choice as never as Record<
        string,
        number
      >;
      assert.ok((tileRows! / laneRows!) * (tileColumns! / laneColumns!) <= 256);
      assert.ok(16 * tileDepth! * (tileRows! / 4 + tileColumns! / 4 + 2) <= 16_384);
    }
  }
});

test("matmul() splits a long depth by default, where the output is small", () => {
  const one = { ...caseOf("tn", 0, 0), numRows: 64, numColumns: 64, depth: 2048 };
  const [first] = candidatesOf(gpu, "tiled", one);
  assert.ok(Number(first!["splits"]) > 1);
  assert.equal(MATMUL.flops(problemOf(gpu, "tiled", one)), 2 * 64 * 64 * 2048);
});
