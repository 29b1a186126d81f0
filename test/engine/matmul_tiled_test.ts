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

/** A case of one layout, with what `index` makes of the rest. */
function caseOf(layout: (typeof LAYOUTS)[number], index: number): MatmulCase {
  const shape = SHAPES[index % 2]!;
  const storage = STORAGES[(index >> 1) % STORAGES.length]!;
  return { ...shape, layout, numBatches: 1, storage, bias: true, residual: true, scale: 0.5 };
}

// A software driver takes long to compile lanes of 8 × 8: the largest of them stand for the others,
// which differ in sizes alone.
const isQuick = ({ tileDepth, laneRows, laneColumns, tileRows }: Choice): boolean =>
  Number(laneRows) * Number(laneColumns) < 64 || (tileDepth === 8 && tileRows === 128);
const ways = candidatesOf(gpu, "tiled", caseOf("nn", 0)).filter(
  (choice) => choice["kernel"] === "tiled" && isQuick(choice),
);
// Every way with one layout, the others taking turns; and every way of reading with the first.
for (const [index, choice] of ways.entries()) {
  const layout = LAYOUTS[index % 3]!;
  test(`matmul() ${layout} in ${JSON.stringify(choice)} matches float64`, { skip }, () =>
    checkProducts(gpu, "tiled", [{ ...caseOf(layout, index), choice }]),
  );
}
for (const layout of LAYOUTS) {
  for (let index = 0; index < 4; index++) {
    const one = caseOf(layout, index);
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
      layout,
      numBatches: 1,
      storage: STORAGES[0],
      activation: "silu",
      bias: true,
      residual: true,
      scale: 0.25,
      accumulate: true,
    };
    test(`matmul() ${layout} of ${sizes.depth} terms in parts matches float64`, () => {
      const splits = candidatesOf(gpu, "tiled", whole).filter(
        (choice) => Number(choice["splits"]) > 1,
      );
      assert.ok(splits.length >= 2, "a long depth must be worth splitting");
      const choices = [splits[0]!, splits.at(-1)!];
      return checkProducts(
        gpu,
        "tiled",
        choices.map((choice) => ({ ...whole, choice })),
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
  const one = { ...caseOf("tn", 0), numRows: 64, numColumns: 64, depth: 2048 };
  const [first] = candidatesOf(gpu, "tiled", one);
  assert.ok(Number(first!["splits"]) > 1);
  assert.equal(MATMUL.flops(problemOf(gpu, "tiled", one)), 2 * 64 * 64 * 2048);
});
