import type { Layout } from "../../shaders/linear_product.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, storageOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";
import { recordMatrices } from "./matmul.ts";

/** Operands of {@linkcode batchedMatmul}. */
export interface BatchedOperands {
  /** `[B, m, k]`, or `[B, k, m]` under `"tn"`; f32 or f16. */
  readonly a: Tensor;
  /** `[B, k, n]`, or `[B, n, k]` under `"nt"`; f32 or f16. */
  readonly b: Tensor;
  /** Multiplies the products. @default {1} */
  readonly scale?: number;
}

/** An operand and the gradient's: which product of which two gives the gradient of each. */
const GRADIENTS = {
  nn: { a: ["nt", "dc", "b"], b: ["tn", "a", "dc"] },
  nt: { a: ["nn", "dc", "b"], b: ["tn", "dc", "a"] },
  tn: { a: ["nt", "b", "dc"], b: ["nn", "a", "dc"] },
} as const satisfies Record<Layout, Record<"a" | "b", readonly [Layout, string, string]>>;

/**
 * Products of matrices, one pair of a batch after the other.
 *
 *     nn  c[i] = scale · a[i] · b[i]
 *     nt  c[i] = scale · a[i] · b[i]ᵀ
 *     tn  c[i] = scale · a[i]ᵀ · b[i]
 *
 * Sums in f32. Differentiable in `a` and `b`, whose gradients are stored as they are.
 *
 * @param tape Where to record.
 * @param layout Which operand is transposed.
 * @param operands Matrices, and a factor.
 * @returns `[B, m, n]`, stored as `a`.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If an operand is neither f32 nor f16.
 */
export function batchedMatmul(tape: Tape, layout: Layout, operands: BatchedOperands): Tensor {
  const { a, b, scale = 1 } = operands;
  const c = tape.activation(resultShape(layout, operands), {
    label: `batchedMatmul(${a.label}, ${b.label})`,
    dtype: storageOf(a),
    from: [a, b],
  });
  storageOf(b); // throws where it is no activation
  record(tape, layout, { a, b, c, scale, accumulate: false });
  tape.onBackward(c, (dc) => {
    const tensors = { a, b, dc };
    for (const name of ["a", "b"] as const) {
      const [how, left, right] = GRADIENTS[layout][name];
      addActivationGradient(tape, tensors[name], (dx, accumulate) =>
        record(tape, how, { a: tensors[left], b: tensors[right], c: dx, scale, accumulate }),
      );
    }
  });
  return c;
}

function record(
  tape: Tape,
  layout: Layout,
  operands: BatchedOperands & { readonly c: Tensor; readonly accumulate: boolean },
): void {
  const { a, b, c } = operands;
  const [numBatches, aRows, aColumns] = axesOf(a);
  const [, bRows, bColumns] = axesOf(b);
  const [, numRows, numColumns] = axesOf(c);
  recordMatrices(tape, layout, {
    ...operands,
    params: {
      numRows,
      numColumns,
      depth: layout === "tn" ? aRows : aColumns,
      aStride: aColumns,
      aBegin: 0,
      cStride: numColumns,
      cBegin: 0,
    },
    batch: {
      numBatches,
      aBatch: aRows * aColumns,
      bBatch: bRows * bColumns,
      cBatch: numRows * numColumns,
    },
  });
}

/** `[B, m, n]`; throws where the operands do not fit. */
function resultShape(layout: Layout, { a, b }: BatchedOperands): [number, number, number] {
  const [aBatches, aRows, aColumns] = axesOf(a);
  const [bBatches, bRows, bColumns] = axesOf(b);
  const [numRows, depth] = layout === "tn" ? [aColumns, aRows] : [aRows, aColumns];
  const [numColumns, bDepth] = layout === "nt" ? [bRows, bColumns] : [bColumns, bRows];
  const areMatrices = a.shape.length === 3 && b.shape.length === 3;
  if (!areMatrices || aBatches !== bBatches || depth !== bDepth) {
    throw new RangeError(
      `Cannot multiply (${layout}) batches: shapes must fit, got a ${describe(a)} and b ${describe(b)}`,
    );
  }
  return [aBatches, numRows, numColumns];
}

function axesOf({ shape: [batches = 0, rows = 0, columns = 0] }: Tensor): [number, number, number] {
  return [batches, rows, columns];
}
