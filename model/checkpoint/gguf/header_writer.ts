import { BLOCK_FORMATS, type GgufDtype } from "./block_format.ts";
import { DEFAULT_ALIGNMENT, MAGIC } from "./header.ts";

/** A value of metadata, with its GGUF type. */
export type GgufValue =
  | { readonly type: "uint32"; readonly value: number }
  | { readonly type: "float32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "int32s" | "float32s" | "uint8s"; readonly value: readonly number[] };

/** A tensor that is to be written. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: GgufDtype;
  /** Slowest axis first. */
  readonly shape: readonly number[];
  /** Bytes of its data. */
  readonly bytes: number;
}

/** GGUF's numbers of types: of a value, or of an array and its elements. */
const TYPES: Readonly<Record<GgufValue["type"], readonly number[]>> = {
  uint32: [4],
  float32: [6],
  bool: [7],
  string: [8],
  strings: [9, 8],
  int32s: [9, 5],
  float32s: [9, 6],
  uint8s: [9, 0],
};

const VERSION = 3;

/** The next multiple of the alignment. */
export function aligned(offset: number): number {
  return Math.ceil(offset / DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT;
}

/** The header of a GGUF file, up to the first tensor, whose data follow one another, aligned. */
export function encodeHeader(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly TensorToWrite[],
): Uint8Array<ArrayBuffer> {
  const writer = new Writer();
  writer.uint32(MAGIC);
  writer.uint32(VERSION);
  writer.uint64(tensors.length);
  writer.uint64(metadata.size);
  for (const [key, value] of metadata) {
    writer.string(key);
    for (const type of TYPES[value.type]) writer.uint32(type);
    writer.value(value);
  }
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    writer.string(name);
    writer.uint32(shape.length);
    for (const length of shape.toReversed()) writer.uint64(length);
    writer.uint32(BLOCK_FORMATS[dtype].id);
    writer.uint64(offset);
    offset = aligned(offset + bytes);
  }
  return writer.finish();
}

/** Bytes that grow. */
class Writer {
  #bytes = new Uint8Array(2 ** 16);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  // Growing replaces the view, so that the place comes first.
  byte(value: number): void {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
  }

  uint32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
  }

  float32(value: number): void {
    const at = this.#grow(4);
    this.#view.setFloat32(at, value, true);
  }

  uint64(value: number): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.uint64(bytes.length);
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  value(given: GgufValue): void {
    if (given.type === "string") return this.string(given.value);
    if (given.type === "uint32") return this.uint32(given.value);
    if (given.type === "float32") return this.float32(given.value);
    if (given.type === "bool") return this.byte(given.value ? 1 : 0);
    this.uint64(given.value.length);
    if (given.type === "strings") {
      for (const text of given.value) this.string(text);
      return;
    }
    const encode = { int32s: Int32Array, float32s: Float32Array, uint8s: Uint8Array }[given.type];
    const bytes = new Uint8Array(encode.from(given.value).buffer);
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** All bytes, filled up to the alignment with zeros. */
  finish(): Uint8Array<ArrayBuffer> {
    this.#grow(aligned(this.#length) - this.#length);
    return this.#bytes.slice(0, this.#length);
  }

  /** Makes room; gives the place of it. */
  #grow(length: number): number {
    const begin = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return begin;
  }
}
