import { float16Bits, float16Value } from "../../../engine/float16.ts";
import { BLOCK_FORMATS } from "./block_format.ts";

const { length: LENGTH, bytes: BYTES } = BLOCK_FORMATS.Q8_0;

/**
 * Quantizes to Q8_0 as ggml's reference does: 32 values share a scale, and the largest of them
 * becomes ±127.
 *
 *     d = max |x| / 127,   q = round(x · (1 / d)), halves away from zero,   x ≈ q · f16(d)
 *
 * @param values Whole blocks of 32.
 * @throws {RangeError} If a value is not finite, or so large that the scale is not.
 * @see {@link https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c}
 */
export function quantizeQ8_0(values: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array((values.length / LENGTH) * BYTES);
  const signed = new Int8Array(bytes.buffer);
  for (let begin = 0, at = 0; begin < values.length; begin += LENGTH, at += BYTES) {
    let largest = 0;
    for (let i = begin; i < begin + LENGTH; i++) {
      largest = Math.max(largest, Math.abs(values[i]!)); // a not-a-number stays
    }
    const scale = Math.fround(largest / 127);
    const half = float16Bits(scale);
    if (!Number.isFinite(float16Value(half))) {
      throw new RangeError(
        `Cannot quantize values: they must be finite and at most 8e6, got ${largest}; use F32`,
      );
    }
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    bytes[at] = half & 255;
    bytes[at + 1] = half >> 8;
    for (let i = 0; i < LENGTH; i++) {
      const steps = Math.fround(values[begin + i]! * inverse);
      // Below 2⁻¹²⁸ the inverse is infinite; the scale is zero in f16, and so is what is read back.
      signed[at + 2 + i] = Number.isFinite(steps) ? Math.trunc(steps + Math.sign(steps) / 2) : 0;
    }
  }
  return bytes;
}
