import type { MatmulFamily, MatmulProblem, Product } from "./matmul_family.ts";
import { powerOfTwo } from "./matmul_family.ts";
import { flatProducts } from "./matmul_flat.ts";
import { matrixProducts } from "./matmul_matrix.ts";
import { tiledProducts } from "./matmul_tiled.ts";
import type { Tape } from "../tape.ts";
import type { Tunable } from "../tuning/tunable.ts";

/** All ways to compute a product: the first that has candidates for a device gives its default. */
const FAMILIES: readonly MatmulFamily[] = [flatProducts, tiledProducts, matrixProducts];

/** Matrix products of f32 and f16: tiles, splits of the depth, and kernels. */
export const MATMUL: Tunable<MatmulProblem> = {
  name: "matmul",
  bucket: (problem) => {
    const { layout, storage, alignment, numRows, numColumns, depth, numBatches } = problem;
    return [
      layout,
      `${storage.a}·${storage.b}→${storage.c}`,
      `m${powerOfTwo(numRows)} n${powerOfTwo(numColumns)} k${powerOfTwo(depth)}`,
      `b${powerOfTwo(numBatches)}`,
      `by ${alignment.a},${alignment.b},${alignment.c},${alignment.depth}`,
    ].join(" ");
  },
  candidates: (device, problem) =>
    FAMILIES.flatMap(({ candidates }) => candidates(device, problem)),
  record: (tape, problem, make) => {
    const { layout, numRows, numColumns, depth, numBatches, storage } = problem;
    const matrix = (label: "a" | "b" | "c", rows: number, columns: number) =>
      make([numBatches, rows, columns], { label, dtype: storage[label] });
    const a = layout === "tn" ? matrix("a", depth, numRows) : matrix("a", numRows, depth);
    const b = layout === "nt" ? matrix("b", numColumns, depth) : matrix("b", depth, numColumns);
    const c = matrix("c", numRows, numColumns);
    recordProduct(tape, {
      problem,
      epilogue: {
        storage: { ...storage, bias: "f32", residual: "f32" },
        accumulate: false,
        bias: false,
        activation: "none",
        residual: false,
      },
      params: {
        numRows,
        numColumns,
        depth,
        aStride: a.shape[2]!,
        aBegin: 0,
        cStride: numColumns,
        cBegin: 0,
        aBatch: numRows * depth,
        bBatch: numColumns * depth,
        cBatch: numRows * numColumns,
        numParts: numBatches,
        partDepth: depth,
        scale: 1,
      },
      buffers: { a, b, bias: b, residual: b, c },
    });
  },
  flops: ({ numRows, numColumns, depth, numBatches }) =>
    2 * numRows * numColumns * depth * numBatches,
};

/** Records a product as the tape chooses. */
export function recordProduct(tape: Tape, product: Product): void {
  const choice = tape.choose(MATMUL, product.problem);
  const family = FAMILIES.find(({ kernel }) => kernel === choice["kernel"])!;
  family.record(tape, product, choice);
}
