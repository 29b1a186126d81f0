import { ATTENTION } from "./tasks.ts";

const { numHeads, seqLen, headDim } = ATTENTION;

/** What hides the future when it is added to scores, `[seqLen, seqLen]`. */
export function causalMask(): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: seqLen ** 2 }, (_, i) =>
    i % seqLen > Math.floor(i / seqLen) ? -1e30 : 0,
  );
}

/** `[seqLen, numHeads, headDim]` as `[numHeads, seqLen, headDim]`. */
export function byHead(values: Float32Array): Float32Array<ArrayBuffer> {
  return swapped(values, seqLen, numHeads);
}

/** The reverse of {@linkcode byHead}. */
export function byToken(values: Float32Array): Float32Array<ArrayBuffer> {
  return swapped(values, numHeads, seqLen);
}

function swapped(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const begin = (row * columns + column) * headDim;
      result.set(values.subarray(begin, begin + headDim), (column * rows + row) * headDim);
    }
  }
  return result;
}
