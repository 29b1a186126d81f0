import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../engine/float16.ts";

/** Types of floating-point numbers that weights of a file may have. */
const FLOAT_DTYPES = ["F32", "F16", "BF16"] as const;

/** One of {@linkcode FLOAT_DTYPES}. */
export type FloatDtype = (typeof FLOAT_DTYPES)[number];

/** Whether elements are floating-point numbers that {@linkcode decodeFloats} reads. */
export function isFloatDtype(dtype: string): dtype is FloatDtype {
  return FLOAT_DTYPES.some((known) => known === dtype);
}

/** The error that a tensor of a file does not hold floats. */
export function notFloats(name: string, dtype: string, file: string): TypeError {
  return new TypeError(
    `Cannot read "${file}": tensor "${name}" must be one of ${FLOAT_DTYPES.join(", ")}, ` +
      `got ${dtype}; save the model again with float32 weights`,
  );
}

/**
 * Values of encoded floats, exactly.
 *
 * @param bytes Little-endian, at any alignment.
 * @param dtype What they encode.
 * @returns A view of the bytes where type and alignment allow, else a copy.
 */
export function decodeFloats(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: FloatDtype,
): Float32Array<ArrayBuffer> {
  const width = dtype === "F32" ? Float32Array.BYTES_PER_ELEMENT : Uint16Array.BYTES_PER_ELEMENT;
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  if (dtype === "F32") return new Float32Array(buffer, byteOffset, byteLength / width);
  const halves = new Uint16Array(buffer, byteOffset, byteLength / width);
  return dtype === "F16" ? fromFloat16(halves) : fromBfloat16(halves);
}

/**
 * Values as bytes, each rounded to the nearest of the type, ties to even.
 *
 * @returns Little-endian; a view of the values where the type is theirs.
 * @throws {RangeError} If a finite value lies beyond the largest of the type.
 */
export function encodeFloats(
  values: Float32Array<ArrayBuffer>,
  dtype: FloatDtype,
): Uint8Array<ArrayBuffer> {
  if (dtype === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const halves = dtype === "F16" ? toFloat16(values) : toBfloat16(values);
  const infinity = dtype === "F16" ? 0x7c00 : 0x7f80;
  for (let i = 0; i < halves.length; i++) {
    if ((halves[i]! & 0x7fff) === infinity && Number.isFinite(values[i])) {
      const remedy = dtype === "F16" ? "BF16 or F32" : "F32";
      throw new RangeError(
        `Cannot encode values: each must be within the range of ${dtype}, got ${values[i]}; use ${remedy}`,
      );
    }
  }
  return new Uint8Array(halves.buffer);
}
