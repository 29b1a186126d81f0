import type { CompressionCodec, Compressors } from "hyparquet";

/** What is known of a column's bytes before they are decoded. */
export interface PageRules {
  /** Rows of the group, each with a value or none. */
  readonly numRows: number;
  /** Whether a row may have no value, so that pages say which ones have. */
  readonly isOptional: boolean;
  readonly isBoolean: boolean;
  readonly codec: CompressionCodec;
  readonly compressors: Compressors;
  readonly maxPageBytes: number;
}

/** Numbers of the fields of page headers, and of kinds of pages, in Parquet's own scheme. */
const [KIND, UNPACKED, PACKED, DATA, DICTIONARY, DATA_V2] = [1, 2, 3, 5, 7, 8];
const [DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2] = [0, 2, 3];
const [PLAIN_DICTIONARY, RLE, RLE_DICTIONARY] = [2, 3, 8];
const [DELTA_BINARY, DELTA_LENGTHS, DELTA_BYTES] = [5, 6, 7];

/** Most values of a block of differences; programs write 128 or so. */
const MAX_DELTA_BLOCK = 2 ** 16;

/**
 * Checks the pages of a column before a decoder believes them: counts of values that add up to the
 * rows, sizes within the column and the budget, and runs of repeated values no longer than their
 * page. A damaged byte could otherwise ask for billions of values.
 *
 * @throws {RangeError} Saying what is wrong.
 * @see {@link https://parquet.apache.org/docs/file-format/data-pages/encodings/ | Encodings of Parquet}
 */
export function checkPages(bytes: Uint8Array<ArrayBuffer>, rules: PageRules): void {
  const { numRows, maxPageBytes } = rules;
  const cursor: Cursor = { view: viewOf(bytes), offset: 0 };
  let rows = 0;
  while (rows < numRows && cursor.offset < bytes.length) {
    const header = readStruct(cursor, 0);
    const kind = numberIn(header, KIND);
    const unpacked = numberIn(header, UNPACKED);
    const packed = numberIn(header, PACKED);
    atMost("bytes of a page", packed, bytes.length - cursor.offset);
    atMost("unpacked bytes of a page", unpacked, maxPageBytes);
    const page = bytes.subarray(cursor.offset, cursor.offset + packed);
    cursor.offset += packed;
    if (kind === DICTIONARY_PAGE) {
      atMost("values of a dictionary", numberIn(structIn(header, DICTIONARY), 1), 8 * unpacked);
    } else if (kind === DATA_PAGE || kind === DATA_PAGE_V2) {
      const fields = structIn(header, kind === DATA_PAGE ? DATA : DATA_V2);
      const count = numberIn(fields, 1);
      atMost("values of a page", count, numRows - rows);
      if (kind === DATA_PAGE) checkPage(page, { fields, count, unpacked, rules });
      else checkPageV2(page, { fields, count, unpacked, rules });
      rows += count;
    } else {
      throw new RangeError(`kinds of pages must be known, got ${kind}`);
    }
  }
  if (rows !== numRows) throw new RangeError(`pages must have ${numRows} values, got ${rows}`);
}

interface PageTask {
  readonly fields: Struct;
  /** Values, absent ones included. */
  readonly count: number;
  readonly unpacked: number;
  readonly rules: PageRules;
}

function checkPage(
  packed: Uint8Array<ArrayBuffer>,
  { fields, count, unpacked, rules }: PageTask,
): void {
  const bytes = unpack(packed, unpacked, rules);
  const cursor: Cursor = { view: viewOf(bytes), offset: 0 };
  if (rules.isOptional) {
    const length = cursor.view.getUint32(0, true);
    cursor.offset = 4;
    checkRuns(cursor, 1, count);
    cursor.offset = 4 + length;
  }
  checkValues(cursor, { encoding: numberIn(fields, 2), count, rules });
}

function checkPageV2(
  packed: Uint8Array<ArrayBuffer>,
  { fields, count, unpacked, rules }: PageTask,
): void {
  const [nulls, rows, encoding, levels, repeated] = [2, 3, 4, 5, 6].map((id) =>
    numberIn(fields, id),
  ) as [number, number, number, number, number];
  if (rows !== count || repeated !== 0)
    throw new RangeError("pages must hold plain values, got lists");
  atMost("absent values of a page", nulls, count);
  atMost("bytes of levels", levels, Math.min(packed.length, unpacked));
  if (rules.isOptional) checkRuns({ view: viewOf(packed), offset: 0 }, 1, count);
  const isPacked = fields.get(7) !== false;
  const rest = packed.subarray(levels);
  const bytes = isPacked ? unpack(rest, unpacked - levels, rules) : rest;
  checkValues({ view: viewOf(bytes), offset: 0 }, { encoding, count: count - nulls, rules });
}

/** Checks the runs that values are written in, where they are. */
function checkValues(
  cursor: Cursor,
  {
    encoding,
    count,
    rules,
  }: { readonly encoding: number; readonly count: number; readonly rules: PageRules },
): void {
  if (encoding === RLE && rules.isBoolean) {
    cursor.offset += 4; // their length in bytes
    checkRuns(cursor, 1, count);
  } else if (encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY || encoding === RLE) {
    if (cursor.offset >= cursor.view.byteLength) return; // no value at all
    const width = cursor.view.getUint8(cursor.offset++);
    atMost("bits of a number in a dictionary", width, 32);
    if (width > 0) checkRuns(cursor, width, count);
  } else if (encoding === DELTA_BYTES) {
    // A few bytes could repeat the beginning of one long text millions of times.
    throw new RangeError(
      "texts must be plain or in a dictionary, got differences (write the table again)",
    );
  } else if (encoding === DELTA_BINARY || encoding === DELTA_LENGTHS) {
    if (cursor.offset >= cursor.view.byteLength) return; // no value at all
    const [block, parts] = [readVarint(cursor), readVarint(cursor)];
    atMost("values of a block of differences", block, MAX_DELTA_BLOCK);
    if (parts < 1 || block < 1 || block % parts !== 0) {
      throw new RangeError(`parts of a block must divide its ${block} values, got ${parts}`);
    }
  }
}

/** Runs of one value, or of eight at a time side by side, may reach at most to the end of the last eight. */
function checkRuns(cursor: Cursor, width: number, count: number): void {
  for (let seen = 0; seen < count && cursor.offset < cursor.view.byteLength;) {
    const header = readVarint(cursor);
    const isPacked = header % 2 === 1;
    const length = Math.floor(header / 2) * (isPacked ? 8 : 1);
    atMost("values of a run", length, count - seen + (isPacked ? 7 : 0));
    cursor.offset += Math.ceil(isPacked ? (length / 8) * width : width / 8);
    seen += length;
  }
}

function unpack(
  packed: Uint8Array<ArrayBuffer>,
  length: number,
  { codec, compressors }: PageRules,
): Uint8Array<ArrayBuffer> {
  const unpacker = compressors[codec];
  return unpacker === undefined ? packed : (unpacker(packed, length) as Uint8Array<ArrayBuffer>);
}

function atMost(what: string, number: number, most: number): void {
  if (number >= 0 && number <= most) return;
  throw new RangeError(`${what} must be from 0 to ${most}, got ${number}`);
}

interface Cursor {
  readonly view: DataView;
  offset: number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Fields of a record of Thrift's compact protocol, by number; text and lists are passed over. */
type Struct = ReadonlyMap<number, number | boolean | Struct | undefined>;

/** Deepest record within records; statistics of a page are two deep. */
const MAX_DEPTH = 8;

function readStruct(cursor: Cursor, depth: number): Struct {
  if (depth > MAX_DEPTH) throw new RangeError(`records may be ${MAX_DEPTH} deep, got more`);
  const fields = new Map<number, number | boolean | Struct | undefined>();
  for (let id = 0; ;) {
    const byte = cursor.view.getUint8(cursor.offset++);
    const type = byte & 15;
    if (type === 0) return fields;
    id = byte >> 4 === 0 ? readZigzag(cursor) : id + (byte >> 4);
    fields.set(id, readField(cursor, type, depth));
  }
}

function readField(
  cursor: Cursor,
  type: number,
  depth: number,
): number | boolean | Struct | undefined {
  switch (type) {
    case 1:
    case 2:
      return type === 1;
    case 3:
      return cursor.view.getInt8(cursor.offset++);
    case 4:
    case 5:
    case 6:
      return readZigzag(cursor);
    case 7:
      cursor.offset += 8;
      return undefined;
    case 8:
      cursor.offset += readVarint(cursor);
      return undefined;
    case 12:
      return readStruct(cursor, depth + 1);
    default:
      throw new RangeError(`kinds of fields must be known, got ${type}`);
  }
}

function readZigzag(cursor: Cursor): number {
  const number = readVarint(cursor);
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

/** A number of up to 64 bits, seven a byte; beyond 2^53 it is too large for anything here. */
function readVarint(cursor: Cursor): number {
  let number = 0;
  for (let i = 0; i < 10; i++) {
    const byte = cursor.view.getUint8(cursor.offset++);
    number += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return number;
  }
  throw new RangeError("numbers must have at most ten bytes, got more");
}

function numberIn(fields: Struct, id: number): number {
  const value = fields.get(id);
  if (typeof value === "number") return value;
  throw new RangeError(`a page must have field ${id}, got none`);
}

function structIn(fields: Struct, id: number): Struct {
  const value = fields.get(id);
  if (value instanceof Map) return value as Struct;
  throw new RangeError(`a page must have field ${id}, got none`);
}
