/** Sparse rows times a table in float64. */
export function sparseRowsReference(
  table: Float64Array,
  {
    starts,
    columns,
    values,
  }: {
    readonly starts: ArrayLike<number>;
    readonly columns: ArrayLike<number>;
    readonly values: ArrayLike<number>;
  },
  dModel: number,
): Float64Array {
  const numRows = starts.length - 1;
  const y = new Float64Array(numRows * dModel);
  for (let row = 0; row < numRows; row++) {
    for (let k = starts[row]!; k < starts[row + 1]!; k++) {
      for (let i = 0; i < dModel; i++) {
        y[row * dModel + i]! += values[k]! * table[columns[k]! * dModel + i]!;
      }
    }
  }
  return y;
}

/** Negative log-likelihood of every row in float64. */
export function softmaxLossReference(
  logits: Float64Array,
  targets: ArrayLike<number>,
  {
    stride,
    numClasses,
    limit = Infinity,
  }: { readonly stride: number; readonly numClasses: number; readonly limit?: number },
): Float64Array {
  return Float64Array.from({ length: targets.length }, (_, row) => {
    const z = Array.from(logits.subarray(row * stride, row * stride + numClasses), (logit) =>
      Math.min(limit, Math.max(-limit, logit)),
    );
    const top = Math.max(...z);
    const total = z.reduce((sum, value) => sum + Math.exp(value - top), 0);
    return top + Math.log(total) - z[targets[row]!]!;
  });
}
