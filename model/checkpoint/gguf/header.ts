import type { ByteSource } from "../byte_source.ts";
import {
  BLOCK_FORMATS,
  DTYPE_OF_ID,
  encodedBytes,
  type GgufDtype,
  OTHER_TYPES,
} from "./block_format.ts";
import { Cursor, MoreBytesNeeded } from "./cursor.ts";
import { GgufMetadata, quote } from "./metadata.ts";

/** What the header says of one tensor. */
export interface GgufTensor {
  readonly name: string;
  readonly dtype: GgufDtype;
  /** Slowest axis first, `[dOut, dIn]`; GGUF writes them the other way around. */
  readonly shape: readonly number[];
  /** First byte, counted from the beginning of the file. */
  readonly begin: number;
  /** Byte after the last one. */
  readonly end: number;
}

/** The header of a GGUF file. */
export interface GgufHeader {
  readonly metadata: GgufMetadata;
  /** By name, in the order of the file. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** "GGUF", little-endian. */
export const MAGIC = 0x4655_4747;

/** Boundary that tensors begin at unless the file says otherwise, in bytes. */
export const DEFAULT_ALIGNMENT = 32;

/** Bytes that are read first; most of real headers are vocabulary. */
const FIRST_BYTES = 2 ** 18;

/** Longest header that is read, in bytes. */
const MAX_HEADER_BYTES = 100_000_000;

/** Tensors that a file may have; a model of 126 blocks has about a thousand. */
const MAX_TENSORS = 65_536;

/** Axes that ggml's tensors have at most. */
const MAX_AXES = 4;

/** Bytes of the shortest description of a tensor: an empty name, one axis, type and offset. */
const LEAST_TENSOR_BYTES = 32;

/**
 * Reads and checks the header of a GGUF file of version 2 or 3, little-endian.
 *
 * Holds at most about twice as many bytes as the header has; nothing in it makes it allocate more
 * than those. Vocabularies stay as they are until they are asked for.
 *
 * @throws {SyntaxError} If it is anything else, names what it must not, or describes data that
 * overlap, are not aligned or lie outside of the file, naming file and field.
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const limit = Math.min(source.size, MAX_HEADER_BYTES);
  for (let length = Math.min(FIRST_BYTES, limit); ; length = Math.min(2 * length, limit)) {
    const bytes = await source.read(0, length);
    try {
      return parseHeader(new Cursor(bytes, source.name, limit), source.size);
    } catch (error) {
      if (!(error instanceof MoreBytesNeeded)) throw error;
    }
  }
}

function parseHeader(cursor: Cursor, fileBytes: number): GgufHeader {
  const magic = cursor.uint32("a GGUF file");
  if (magic !== MAGIC) {
    throw cursor.problem('it must begin with "GGUF"', `0x${magic.toString(16).padStart(8, "0")}`);
  }
  const version = cursor.uint32("the version");
  if (version !== 2 && version !== 3) {
    throw cursor.problem("its version must be 2 or 3, little-endian", `${version}`);
  }
  const numTensors = cursor.count("the number of tensors", LEAST_TENSOR_BYTES);
  if (numTensors > MAX_TENSORS) {
    throw cursor.problem(`the number of tensors must be at most ${MAX_TENSORS}`, `${numTensors}`);
  }
  const numPairs = cursor.uint64("the number of pairs of metadata");
  const metadata = GgufMetadata.read(cursor, numPairs);
  const alignment = metadata.size("general.alignment", { orElse: DEFAULT_ALIGNMENT });
  if ((alignment & (alignment - 1)) !== 0) {
    metadata.refuse("general.alignment", "must be a power of two", `${alignment}`);
  }
  const tensors = new Map<string, GgufTensor>();
  for (let i = 0; i < numTensors; i++) {
    const tensor = readTensor(cursor, alignment);
    if (tensors.has(tensor.name)) {
      throw cursor.problem("names of tensors must be unique", quote(tensor.name));
    }
    tensors.set(tensor.name, tensor);
  }
  const dataStart = Math.ceil(cursor.offset / alignment) * alignment;
  return { metadata, tensors: placeTensors(cursor, tensors, { dataStart, fileBytes }) };
}

/** One tensor, its data counted from the end of the header. */
function readTensor(cursor: Cursor, alignment: number): GgufTensor {
  const name = cursor.string("the name of a tensor");
  const what = `tensor ${quote(name)}`;
  const numAxes = cursor.uint32(`the number of axes of ${what}`);
  if (numAxes < 1 || numAxes > MAX_AXES) {
    throw cursor.problem(`${what} must have 1 to ${MAX_AXES} axes`, `${numAxes}`);
  }
  const shape = Array.from({ length: numAxes }, () => cursor.uint64(`the shape of ${what}`));
  shape.reverse();
  const id = cursor.uint32(`the type of ${what}`);
  const dtype = DTYPE_OF_ID.get(id);
  if (dtype === undefined) {
    const supported = Object.keys(BLOCK_FORMATS).join(", ");
    throw cursor.problem(`the type of ${what} must be one of ${supported}`, typeName(id));
  }
  const begin = cursor.uint64(`the offset of ${what}`);
  const bytes = encodedBytes(dtype, shape);
  if (!(bytes > 0)) {
    const rule = `the shape of ${what} must be rows of whole blocks of ${BLOCK_FORMATS[dtype].length}, fewer than 2^53 bytes`;
    throw cursor.problem(rule, `[${shape.join(", ")}] ${dtype}`);
  }
  if (begin % alignment !== 0) {
    throw cursor.problem(`the offset of ${what} must be a multiple of ${alignment}`, `${begin}`);
  }
  return { name, dtype, shape, begin, end: begin + bytes };
}

/** Counts data from the beginning of the file, and checks that they lie in it and do not overlap. */
function placeTensors(
  cursor: Cursor,
  tensors: ReadonlyMap<string, GgufTensor>,
  { dataStart, fileBytes }: { readonly dataStart: number; readonly fileBytes: number },
): Map<string, GgufTensor> {
  const placed = Array.from(tensors.values(), (tensor) => ({
    ...tensor,
    begin: dataStart + tensor.begin,
    end: dataStart + tensor.end,
  }));
  let free = dataStart;
  for (const { name, begin, end } of placed.toSorted((a, b) => a.begin - b.begin)) {
    if (begin < free) {
      throw cursor.problem(`tensor ${quote(name)} must begin at byte ${free} or later`, `${begin}`);
    }
    if (end > fileBytes) {
      const rule = `tensor ${quote(name)} must end within the file's ${fileBytes} bytes`;
      throw cursor.problem(rule, `${end}; is the file whole?`);
    }
    free = end;
  }
  return new Map(placed.map((tensor) => [tensor.name, tensor]));
}

function typeName(id: number): string {
  const name = OTHER_TYPES.get(id);
  return name === undefined ? `type ${id}` : `${name}; quantize the model as Q4_K or Q8_0 instead`;
}
