/**
 * Moves the rows of every head between the two orders of rotation.
 *
 * @param rows Bytes of all heads, one after another.
 * @param heads How many there are; each has an even number of rows.
 * @param order `"half"` undoes the permutation of the file, `"interleaved"` applies it.
 * @param rowBytes Bytes of a row; blocks run along it, so that nothing is decoded.
 */
export function reorderRows(
  rows: Uint8Array,
  order: "half" | "interleaved",
  { heads, rowBytes }: { readonly heads: number; readonly rowBytes: number },
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(rows.length);
  const headDim = rows.length / rowBytes / heads;
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < headDim; i++) {
      const interleaved = head * headDim + i;
      const half = head * headDim + (i >> 1) + (i & 1) * (headDim / 2);
      const [from, to] = order === "half" ? [interleaved, half] : [half, interleaved];
      result.set(rows.subarray(from * rowBytes, (from + 1) * rowBytes), to * rowBytes);
    }
  }
  return result;
}
