import { decodeFloats, type FloatDtype, isFloatDtype } from "../float_conversion.ts";
import type { EncodedWeight } from "../stored_model.ts";
import { BLOCK_FORMATS, encodedBytes, type GgufDtype, isGgufDtype } from "./block_format.ts";
import type { Blocks } from "./blocks.ts";
import {
  dequantizeQ4_0,
  dequantizeQ4_1,
  dequantizeQ5_0,
  dequantizeQ5_1,
  dequantizeQ8_0,
} from "./dequantize_32.ts";
import { dequantizeQ4K, dequantizeQ5K, dequantizeQ6K } from "./dequantize_k.ts";

const DEQUANTIZE: Readonly<Record<Exclude<GgufDtype, FloatDtype>, (blocks: Blocks) => void>> = {
  Q4_0: dequantizeQ4_0,
  Q4_1: dequantizeQ4_1,
  Q5_0: dequantizeQ5_0,
  Q5_1: dequantizeQ5_1,
  Q8_0: dequantizeQ8_0,
  Q4_K: dequantizeQ4K,
  Q5_K: dequantizeQ5K,
  Q6_K: dequantizeQ6K,
};

/**
 * Values of a weight as f32, whatever its encoding: floats of 16 bits exactly, ggml's blocks by
 * its reference formulas, bit for bit.
 *
 * @param weight What a file holds.
 * @returns As many values as the shape has, row-major; never a view of the weight's bytes.
 * @throws {TypeError} If the weight holds integers that no formula turns into floats.
 * @throws {RangeError} If the bytes do not fill the shape in whole blocks.
 */
export function toFloat32({ dtype, shape, bytes }: EncodedWeight): Float32Array<ArrayBuffer> {
  if (!isGgufDtype(dtype)) {
    throw new TypeError(
      `Cannot read a weight as f32: its type must be one of ${Object.keys(BLOCK_FORMATS).join(", ")}, got ${dtype}`,
    );
  }
  const expected = encodedBytes(dtype, shape);
  if (bytes.length !== expected) {
    const rule = Number.isNaN(expected)
      ? `its rows must be whole blocks of ${BLOCK_FORMATS[dtype].length} values`
      : `its shape takes ${expected} bytes`;
    throw new RangeError(
      `Cannot read a weight as f32: ${rule}, got ${bytes.length} bytes for [${shape.join(", ")}] ${dtype}`,
    );
  }
  if (isFloatDtype(dtype)) return decodeFloats(bytes.slice(), dtype);
  const format = BLOCK_FORMATS[dtype];
  const values = new Float32Array((bytes.length / format.bytes) * format.length);
  DEQUANTIZE[dtype]({ bytes, stride: format.bytes, values });
  return values;
}
