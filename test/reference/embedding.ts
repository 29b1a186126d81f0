/** Rows of a table in float64, written for clarity, not speed. */
export function embeddingReference(
  table: Float64Array,
  ids: ArrayLike<number>,
  dModel: number,
): Float64Array {
  return Float64Array.from(
    Array.from(ids).flatMap((id) => [...table.subarray(id * dModel, (id + 1) * dModel)]),
  );
}
