import { byteOffsetOf, bytesOf, describe, rootOf, sizeOf, type Tensor } from "./tensor.ts";

/** Values that a tensor can be filled with. */
export type Values =
  | Float32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/** What values of each dtype come in; blocks come as their words. */
const ARRAY_OF = {
  f32: Float32Array,
  f16: Uint16Array,
  bf16: Uint16Array,
  u32: Uint32Array,
  int8: Uint32Array,
  int4: Uint32Array,
} as const;

/** Where a `Gpu.write()` begins. */
export interface WriteOptions {
  /**
   * Values of the tensor before the first that is written, counted as the values come: elements, or
   * words of blocks. With an offset, the values need not reach the tensor's end.
   */
  readonly offset: number;
}

/**
 * Where values go: a buffer, the byte of it where they begin, and their bytes.
 *
 * @param tensor Persistent, or a view of one.
 * @param values All of its values, or those of a part.
 * @param options Where the part begins.
 * @throws {RangeError} If the tensor is not persistent, the values do not fill it, or a part does
 *   not begin and, but at the tensor's end, end at multiples of 4 bytes.
 * @throws {TypeError} If the values are not of the tensor's dtype; halves come as their bits.
 */
export function placeOf(
  tensor: Tensor,
  values: Values,
  options?: WriteOptions,
): { readonly buffer: GPUBuffer; readonly at: number; readonly bytes: Uint8Array<ArrayBuffer> } {
  if (!(values instanceof ARRAY_OF[tensor.dtype])) {
    throw new TypeError(
      `Cannot write "${tensor.label}" ${describe(tensor)}: values must be a ${ARRAY_OF[tensor.dtype].name}, got ${values.constructor.name}`,
    );
  }
  const { buffer } = rootOf(tensor);
  const { offset = 0 } = options ?? {};
  const length = lengthOf(tensor);
  const end = offset + values.length;
  const isAligned = (index: number) => (index * values.BYTES_PER_ELEMENT) % 4 === 0;
  const isPart =
    offset >= 0 && end <= length && isAligned(offset) && (isAligned(end) || end === length);
  if (buffer === undefined || !(options === undefined ? end === length : isPart)) {
    const from = options === undefined ? "" : ` from ${offset} on`;
    throw new RangeError(
      `Cannot write "${tensor.label}" ${describe(tensor)}: expected a persistent tensor and ` +
        `${length} ${length === sizeOf(tensor.shape) ? "values" : "words of blocks"}, got ${values.length}${from}`,
    );
  }
  const at = byteOffsetOf(tensor) + offset * values.BYTES_PER_ELEMENT;
  return { buffer, at, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** Values of a whole tensor: elements, or words of blocks. */
function lengthOf(tensor: Tensor): number {
  const length = sizeOf(tensor.shape);
  const isBlocks = tensor.dtype === "int8" || tensor.dtype === "int4";
  return isBlocks && length > 0 ? bytesOf(tensor) / 4 : length;
}
