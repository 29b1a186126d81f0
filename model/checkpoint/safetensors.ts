import {
  LENGTH_BYTES,
  readHeader,
  type SafetensorsDtype,
  tensorBytes,
} from "./safetensors_header.ts";

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

/** Data begin at a multiple of this many bytes, so that a mapped file can be read in place. */
const ALIGNMENT = 8;

/** What every library that reads the format expects of model weights. */
const PYTORCH_METADATA: ReadonlyMap<string, string> = new Map([["format", "pt"]]);

/**
 * Writes tensors in the safetensors format, byte for byte as the Rust library does: a compact
 * header, padded with spaces to 8 bytes, and the data sorted by name.
 *
 * @param tensors Tensors by name.
 * @param metadata Strings by name. @default {{ format: "pt" }}
 * @returns The whole file.
 * @throws {RangeError} If values do not fill their shape.
 * @throws {TypeError} If a name is reserved or no valid Unicode.
 * @see {@link https://github.com/huggingface/safetensors#format | The format}
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, FloatTensor>,
  metadata: ReadonlyMap<string, string> = PYTORCH_METADATA,
): Uint8Array<ArrayBuffer> {
  const sorted = sortByName(tensors);
  const header = encodeHeader(sorted, metadata);
  const dataStart = LENGTH_BYTES + header.length;
  const dataBytes = sorted.reduce((sum, [, { values }]) => sum + values.byteLength, 0);
  const file = new Uint8Array(dataStart + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, LENGTH_BYTES);
  let offset = dataStart;
  for (const [, { values }] of sorted) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    offset += values.byteLength;
  }
  return file;
}

/**
 * Reads a safetensors file without copying its data.
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
 * The values of a tensor of 32-bit floats.
 *
 * @param tensor As it lies in the file.
 * @param name Its name, for errors.
 * @param file Name of the file, for errors.
 * @returns A view of the file where its alignment allows, else a copy.
 * @throws {TypeError} If the elements are of another type, naming the tensor and the remedy.
 */
export function floatTensor(tensor: StoredTensor, name: string, file: string): FloatTensor {
  const { shape, dtype, bytes } = tensor;
  if (dtype !== "F32") {
    throw new TypeError(
      `Cannot read "${file}": tensor "${name}" must be F32, got ${dtype}; ` +
        "save the model again with float32 weights",
    );
  }
  const isAligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset, byteLength } = isAligned ? bytes : bytes.slice();
  const values = new Float32Array(buffer, byteOffset, byteLength / Float32Array.BYTES_PER_ELEMENT);
  return { shape, values };
}

function encodeHeader(
  sorted: readonly (readonly [string, FloatTensor])[],
  metadata: ReadonlyMap<string, string>,
): Uint8Array<ArrayBuffer> {
  const fields: string[] = [];
  // Written by hand, because an object would move names such as "0" to the front.
  const field = (name: string, value: unknown) =>
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  if (metadata.size > 0) field("__metadata__", Object.fromEntries(metadata));
  let offset = 0;
  for (const [name, { shape, values }] of sorted) {
    checkTensor(name, { shape, values });
    const end = offset + values.byteLength;
    field(name, { dtype: "F32", shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const padded = new Uint8Array(Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  padded.set(json);
  return padded;
}

function checkTensor(name: string, { shape, values }: FloatTensor): void {
  const isUnicode = new TextDecoder().decode(new TextEncoder().encode(name)) === name;
  if (name === "__metadata__" || name === "__proto__" || !isUnicode) {
    throw new TypeError(
      `Cannot write tensors: names must be Unicode other than "__metadata__" and "__proto__", got ${JSON.stringify(name)}`,
    );
  }
  if (tensorBytes("F32", shape) !== values.byteLength) {
    throw new RangeError(
      `Cannot write tensor "${name}": values must fill its shape [${shape.join(", ")}], got ${values.length} values`,
    );
  }
}

/** Sorted by the bytes of the name in UTF-8, which is the order of code points. */
function sortByName(tensors: ReadonlyMap<string, FloatTensor>): [string, FloatTensor][] {
  const encoder = new TextEncoder();
  return Array.from(tensors, ([name, tensor]) => ({ key: encoder.encode(name), name, tensor }))
    .toSorted((a, b) => compareBytes(a.key, b.key))
    .map(({ name, tensor }) => [name, tensor]);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
