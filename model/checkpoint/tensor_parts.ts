import { sizeOf } from "../../engine/tensor.ts";
import type { TensorLayout } from "./tensor_layout.ts";

/** Elements as integers, because moving a NaN as a float may change its bits. */
const INTEGERS = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const;

/** Bytes of an element that can be moved. */
export type ElementWidth = 1 | 2 | 4;

/** Edge of the squares that a transposition goes by, so that both sides stay in the cache. */
const TILE = 32;

/**
 * A tensor of a file from the weights in it: one below the other, transposed if the file wants so.
 *
 * @param parts Bytes of each weight, in the order of the layout.
 * @returns Bytes of the tensor; those of the weight itself where they are the same.
 */
export function joinParts(
  { shape, isTransposed }: TensorLayout,
  parts: readonly Uint8Array<ArrayBuffer>[],
  width: ElementWidth,
): Uint8Array<ArrayBuffer> {
  const [first] = parts;
  if (parts.length === 1 && !isTransposed) return first!;
  const joined = new Uint8Array(sizeOf(shape) * width);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return isTransposed ? transpose(joined, shape[1]!, width) : joined;
}

/**
 * The inverse of {@linkcode joinParts}.
 *
 * @returns Bytes of each weight, in the order of the layout: views of the tensor, or of its
 * transpose.
 */
export function splitParts(
  { shape, parts, isTransposed }: TensorLayout,
  tensor: Uint8Array<ArrayBuffer>,
  width: ElementWidth,
): Uint8Array<ArrayBuffer>[] {
  const joined = isTransposed ? transpose(tensor, shape[0]!, width) : tensor;
  let end = 0;
  return parts.map((part) => joined.subarray(end, (end += sizeOf(part.shape) * width)));
}

/** The transpose of a row-major matrix with that many rows. */
function transpose(
  bytes: Uint8Array<ArrayBuffer>,
  numRows: number,
  width: ElementWidth,
): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const x = new INTEGERS[width](buffer, byteOffset, bytes.length / width);
  const y = new INTEGERS[width](x.length);
  const numColumns = x.length / numRows;
  for (let top = 0; top < numRows; top += TILE) {
    const bottom = Math.min(top + TILE, numRows);
    for (let left = 0; left < numColumns; left += TILE) {
      const right = Math.min(left + TILE, numColumns);
      for (let column = left; column < right; column++) {
        for (let row = top; row < bottom; row++) {
          y[column * numRows + row] = x[row * numColumns + column]!;
        }
      }
    }
  }
  return new Uint8Array(y.buffer);
}
