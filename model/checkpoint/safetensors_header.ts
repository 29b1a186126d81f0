import type { ByteSource } from "./byte_source.ts";
import { brief, isJsonObject, type JsonValue, parseJsonObject } from "./strict_json.ts";

/** Bytes per element of each type that a safetensors file may hold, in the order of its data. */
export const ELEMENT_BYTES = {
  U64: 8,
  I64: 8,
  F64: 8,
  F32: 4,
  U32: 4,
  I32: 4,
  BF16: 2,
  F16: 2,
  U16: 2,
  I16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

/** Element type of a tensor in a file. */
export type SafetensorsDtype = keyof typeof ELEMENT_BYTES;

/** What the header says of one tensor. */
export interface HeaderEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** First byte, counted from the end of the header. */
  readonly begin: number;
  /** Byte after the last one. */
  readonly end: number;
}

/** Bytes of the length that a file begins with. */
export const LENGTH_BYTES = 8;

/** Longest header that the format allows, in bytes. */
const MAX_HEADER_BYTES = 100_000_000;

const ENTRY_KEYS = ["dtype", "shape", "data_offsets"];

/** What the header of a file says. */
export interface Header {
  /** Byte of the file that the data begin at. */
  readonly dataStart: number;
  /** Tensors in the order of their data. */
  readonly entries: readonly HeaderEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads and checks the header of a safetensors file in memory.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {SyntaxError} If the header is too long, is not the JSON that it must be, or describes
 * data with a gap, an overlap or an end that is not the file's; nothing is allocated before.
 */
export function readHeader(bytes: Uint8Array, file: string): Header {
  const source = { name: file, size: bytes.length };
  const dataStart = LENGTH_BYTES + headerLength(bytes.subarray(0, LENGTH_BYTES), source);
  return parseHeader(bytes.subarray(LENGTH_BYTES, dataStart), source);
}

/**
 * Reads and checks the header of a safetensors file, and nothing else of it.
 *
 * @throws {SyntaxError} As {@linkcode readHeader} does.
 */
export async function loadHeader(source: ByteSource): Promise<Header> {
  const length = headerLength(await source.read(0, Math.min(LENGTH_BYTES, source.size)), source);
  return parseHeader(await source.read(LENGTH_BYTES, LENGTH_BYTES + length), source);
}

/** A file as errors name it, and its size. */
type File = Pick<ByteSource, "name" | "size">;

function parseHeader(json: Uint8Array, { name: file, size }: File): Header {
  if (json[0] !== 0x7b) {
    throw problem(file, 'its header must begin with "{"', `byte ${json[0]}`);
  }
  const header = new Map(Object.entries(parseJsonObject(json, file)));
  const metadata = readMetadata(header.get("__metadata__"), file);
  header.delete("__metadata__");
  const entries = Array.from(header, ([name, value]) => readEntry(name, value, file));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const dataStart = LENGTH_BYTES + json.length;
  checkLayout(entries, { file, length: size - dataStart });
  return { dataStart, entries, metadata };
}

/**
 * Bytes that a tensor takes.
 *
 * @returns NaN if there are more than a number can count exactly.
 */
export function tensorBytes(dtype: SafetensorsDtype, shape: readonly number[]): number {
  let bytes: number = ELEMENT_BYTES[dtype];
  for (const length of shape) {
    bytes *= length;
    if (!Number.isSafeInteger(bytes)) return Number.NaN;
  }
  return bytes;
}

/** Length of the header, which a file of that size begins with. */
function headerLength(start: Uint8Array, { name, size }: File): number {
  if (start.length < LENGTH_BYTES) {
    throw problem(name, "a safetensors file has at least 8 bytes", `${start.length}`);
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const length = view.getBigUint64(0, true);
  const longest = Math.min(MAX_HEADER_BYTES, size - LENGTH_BYTES);
  if (length < 2n || length > BigInt(longest)) {
    throw problem(name, `its header must have 2 to ${longest} bytes`, `${length}`);
  }
  return Number(length);
}

function readMetadata(value: JsonValue | undefined, file: string): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  const rule = '"__metadata__" must map strings to strings';
  if (!isJsonObject(value)) throw problem(file, rule, brief(value));
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw problem(file, rule, `${brief(text)} for "${key}"`);
    metadata.set(key, text);
  }
  return metadata;
}

function readEntry(name: string, value: JsonValue, file: string): HeaderEntry {
  const fail = (rule: string, got: JsonValue | undefined): never => {
    throw problem(file, `${rule} of tensor "${name}"`, brief(got));
  };
  if (!isJsonObject(value)) return fail("an object must stand for the description", value);
  const fields = new Map(Object.entries(value));
  const stranger = [...fields.keys()].find((key) => !ENTRY_KEYS.includes(key));
  if (stranger !== undefined) fail(`${ENTRY_KEYS.join(", ")} must be the only keys`, stranger);
  const dtype = fields.get("dtype");
  if (!isDtype(dtype)) {
    return fail(`${Object.keys(ELEMENT_BYTES).join(", ")} are the possible types`, dtype);
  }
  const shape = fields.get("shape");
  if (!isCounts(shape)) return fail("non-negative integers must be the shape", shape);
  const offsets = fields.get("data_offsets");
  if (!isCounts(offsets) || offsets.length !== 2) {
    return fail("two non-negative integers must be the offsets", offsets);
  }
  const [begin = 0, end = 0] = offsets;
  const bytes = tensorBytes(dtype, shape);
  if (Number.isNaN(bytes)) fail("fewer than 2^53 bytes must be the size", shape);
  if (end - begin !== bytes) {
    fail(`${bytes} bytes, as its shape and type take, must be between the offsets`, offsets);
  }
  return { name, dtype, shape, begin, end };
}

/** Data lie one after another, from the header to the end of the file. */
function checkLayout(
  entries: readonly HeaderEntry[],
  { file, length }: { readonly file: string; readonly length: number },
): void {
  let offset = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== offset) {
      const rule = `the data of tensor "${name}" must begin at byte ${offset}, without gap or overlap`;
      throw problem(file, rule, `${begin}`);
    }
    if (end > length) {
      throw problem(file, `tensor "${name}" must end within ${length} bytes of data`, `${end}`);
    }
    offset = end;
  }
  if (offset !== length) {
    throw problem(file, `its data must end with the last tensor, at byte ${offset}`, `${length}`);
  }
}

function isDtype(value: JsonValue | undefined): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(ELEMENT_BYTES, value);
}

function isCounts(value: JsonValue | undefined): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.every((n: JsonValue) => typeof n === "number" && Number.isSafeInteger(n) && n >= 0)
  );
}

function problem(file: string, rule: string, got: string): SyntaxError {
  return new SyntaxError(`Cannot read "${file}": ${rule}, got ${got}`);
}
