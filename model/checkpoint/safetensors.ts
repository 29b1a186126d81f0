import { decodeFloats, isFloatDtype, notFloats } from "./float_conversion.ts";
import { readHeader, type SafetensorsDtype, tensorBytes } from "./safetensors_header.ts";
import { PYTORCH_METADATA, startSafetensors } from "./safetensors_writer.ts";

export type { SafetensorsDtype };

/** A tensor of 32-bit floats in memory. */
export interface FloatTensor {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** A tensor as it lies in a file. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly dtype: SafetensorsDtype;
  /** Row-major, little-endian; a view of the file's bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Content of a safetensors file. */
export interface Safetensors {
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Writes tensors in the safetensors format, byte for byte as the Rust library does: a compact
 * header, padded with spaces to 8 bytes, and the data sorted by type, the widest first, and name.
 *
 * @param tensors Tensors by name: values to write as F32, or the bytes of any type.
 * @param metadata Strings by name. @default {{ format: "pt" }}
 * @returns The whole file.
 * @throws {RangeError} If values do not fill their shape.
 * @throws {TypeError} If a name is reserved or no valid Unicode.
 * @see {@link https://github.com/huggingface/safetensors#format | The format}
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, FloatTensor | StoredTensor>,
  metadata: ReadonlyMap<string, string> = PYTORCH_METADATA,
): Uint8Array<ArrayBuffer> {
  const stored = new Map(
    Array.from(tensors, ([name, tensor]): [string, StoredTensor] => [name, storedTensor(tensor)]),
  );
  const { header, names, size } = startSafetensors(stored, metadata);
  for (const [name, tensor] of stored) checkFilled(name, tensor);
  const file = new Uint8Array(size);
  file.set(header);
  let offset = header.length;
  for (const name of names) {
    const { bytes } = stored.get(name)!;
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

/**
 * Reads a safetensors file in memory without copying its data.
 *
 * Whatever the bytes are, the result is an error or tensors within them: lengths, offsets and
 * shapes are checked against each other and the file before anything is allocated.
 *
 * @param bytes The whole file; the tensors are views of it.
 * @param file Its name, for errors.
 * @throws {SyntaxError} If the bytes break a rule of the format, naming the rule and the tensor.
 */
export function decodeSafetensors(bytes: Uint8Array<ArrayBuffer>, file: string): Safetensors {
  const { dataStart, entries, metadata } = readHeader(bytes, file);
  const tensors = new Map(
    entries.map(({ name, dtype, shape, begin, end }): [string, StoredTensor] => [
      name,
      { shape, dtype, bytes: bytes.subarray(dataStart + begin, dataStart + end) },
    ]),
  );
  return { tensors, metadata };
}

/**
 * The values of a tensor of floats.
 *
 * @param tensor As it lies in the file.
 * @param name Its name, for errors.
 * @param file Name of the file, for errors.
 * @returns A view of the file where type and alignment allow, else a copy.
 * @throws {TypeError} If the elements are of another type, naming the tensor and the remedy.
 */
export function floatTensor(tensor: StoredTensor, name: string, file: string): FloatTensor {
  const { shape, dtype, bytes } = tensor;
  if (!isFloatDtype(dtype)) throw notFloats(name, dtype, file);
  return { shape, values: decodeFloats(bytes, dtype) };
}

function storedTensor(tensor: FloatTensor | StoredTensor): StoredTensor {
  if (!("values" in tensor)) return tensor;
  const { shape, values } = tensor;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { shape, dtype: "F32", bytes };
}

function checkFilled(name: string, tensor: StoredTensor): void {
  const { dtype, shape, bytes } = tensor;
  if (tensorBytes(dtype, shape) === bytes.length) return;
  const width = tensorBytes(dtype, []);
  throw new RangeError(
    `Cannot write tensor "${name}": values must fill its shape [${shape.join(", ")}], got ${bytes.length / width} values`,
  );
}
