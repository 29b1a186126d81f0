/**
 * Blocks of int8 and int4 read bit by bit, in float64: `words` hold rows of blocks of 32 elements,
 * the last of each row padded. Written for clarity, not speed.
 */
import { halfOf } from "../float16.ts";

/** Values of one matrix. */
export function unpackReference(
  words: Uint32Array,
  [numRows, width]: readonly [number, number],
  dtype: "int8" | "int4",
): Float64Array {
  const bits = dtype === "int8" ? 8 : 4;
  const blocksARow = Math.ceil(width / 32);
  const bytesABlock = 4 + (32 * bits) / 8;
  const bytes = new DataView(words.buffer, words.byteOffset, words.byteLength);
  const values = new Float64Array(numRows * width);
  for (let row = 0; row < numRows; row++) {
    for (let column = 0; column < width; column++) {
      const block = (row * blocksARow + Math.floor(column / 32)) * bytesABlock;
      const j = column % 32;
      if (dtype === "int8") {
        const scale = bytes.getFloat32(block, true);
        values[row * width + column] = scale * bytes.getInt8(block + 4 + j);
      } else {
        const byte = bytes.getUint8(block + 4 + Math.floor(j / 2));
        const integer = j % 2 === 0 ? byte % 16 : Math.floor(byte / 16);
        const scale = halfOf(bytes.getUint16(block, true));
        values[row * width + column] = scale * integer + halfOf(bytes.getUint16(block + 2, true));
      }
    }
  }
  return values;
}
