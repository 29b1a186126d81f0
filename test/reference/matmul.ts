/** Sizes of a batch of products. */
export interface MatmulSizes {
  readonly numRows: number;
  readonly numColumns: number;
  readonly depth: number;
  /** Matrices of the batch, behind each other; 1 for one product. */
  readonly numBatches: number;
}

/**
 * `a · b`, `a · bᵀ` or `aᵀ · b` in float64, `[numBatches, numRows, numColumns]`.
 *
 * @param layout Which operand is transposed.
 * @param operands `a` `[numBatches, numRows, depth]` and `b` `[numBatches, depth, numColumns]`, or
 *   transposed.
 * @param sizes Their sizes.
 */
export function matmulReference(
  layout: "nn" | "nt" | "tn",
  { a, b }: { readonly a: ArrayLike<number>; readonly b: ArrayLike<number> },
  { numRows, numColumns, depth, numBatches }: MatmulSizes,
): Float64Array {
  return Float64Array.from({ length: numBatches * numRows * numColumns }, (_, i) => {
    const n = i % numColumns;
    const m = Math.floor(i / numColumns) % numRows;
    const batch = Math.floor(i / numColumns / numRows);
    let sum = 0;
    for (let k = 0; k < depth; k++) {
      const aAt = layout === "tn" ? k * numRows + m : m * depth + k;
      const bAt = layout === "nt" ? n * depth + k : k * numColumns + n;
      sum += a[batch * numRows * depth + aAt]! * b[batch * depth * numColumns + bAt]!;
    }
    return sum;
  });
}
