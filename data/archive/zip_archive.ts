import { type FlateError, Inflate } from "fflate";
import { type Archive, noEntry, streamOfChunks } from "./archive.ts";
import { crc32 } from "./crc32.ts";
import { InflationBudget, type InflationLimits } from "./inflation.ts";
import {
  placeOf,
  type RandomAccess,
  readZipDirectory,
  viewOf,
  type ZipEntry,
  zipError,
} from "./zip_directory.ts";

/** Bytes that are read at once. */
const READ_BYTES = 1 << 18;

/** Compressed bytes that are inflated at once: they can become a thousand times as many. */
const PIECE_BYTES = 1 << 13;

const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_LENGTH = 30;

/**
 * Opens a zip. Only its list of files is held; files are inflated as they are read, within a
 * budget of bytes and of bytes per compressed byte, whatever the archive says of itself.
 *
 * @param source The bytes of the archive, in parts.
 * @throws {SyntaxError} If it is no zip, cut off, or holds what no download has, as
 *   `readZipDirectory()` lists it; streams fail alike where a file is not what the list says.
 * @throws {RangeError} If it unfolds beyond the limits.
 */
export async function openZip(
  source: RandomAccess,
  limits: Partial<InflationLimits> = {},
): Promise<Archive> {
  const budget = new InflationBudget(limits);
  const entries = await readZipDirectory(source, budget.limits);
  const entryOf = new Map(entries.map((entry) => [entry.name, entry]));
  for (const { name, size, compressedSize } of entries) {
    budget.checkSize(placeOf(source.name, name), size, compressedSize);
  }
  return {
    name: source.name,
    entries: entries.map(({ name, size }) => ({ name, size })),
    open(name) {
      const entry = entryOf.get(name);
      if (entry === undefined) throw noEntry(source.name, name);
      return streamOfChunks(readEntry(source, entry, budget));
    },
  };
}

/** The bytes of a file, checked against its size and its sum. */
async function* readEntry(
  source: RandomAccess,
  entry: ZipEntry,
  budget: InflationBudget,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fail = (problem: string): never => {
    throw zipError(source, `${problem} (download it again)`, entry.name);
  };
  const meter = budget.meter(placeOf(source.name, entry.name));
  const begin = await dataBegin(source, entry, fail);
  const inflate = entry.method === 0 ? stored() : inflater(fail);
  let [length, sum] = [0, 0];
  for await (const { piece, end } of piecesOf(source, begin, entry.compressedSize)) {
    for (const chunk of inflate(piece, end === entry.compressedSize)) {
      meter(chunk.length, end);
      length += chunk.length;
      if (length > entry.size) fail(`it must have ${entry.size} bytes, got more`);
      sum = crc32(chunk, sum);
      if (chunk.length > 0) yield chunk;
    }
  }
  if (length !== entry.size) fail(`it must have ${entry.size} bytes, got ${length}`);
  if (sum !== entry.crc32) fail("its sum must be the one in the list, got another");
}

/** The stored bytes of a file in small pieces, and where each ends. */
async function* piecesOf(
  source: RandomAccess,
  begin: number,
  size: number,
): AsyncGenerator<{ piece: Uint8Array; end: number }, void, undefined> {
  for (let at = 0; at < size; at += READ_BYTES) {
    const bytes = await source.read(begin + at, begin + Math.min(at + READ_BYTES, size));
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      yield { piece, end: at + from + piece.length };
    }
  }
}

/** Where a file's bytes begin: behind its local header, which must be the list's. */
async function dataBegin(
  source: RandomAccess,
  entry: ZipEntry,
  fail: (problem: string) => never,
): Promise<number> {
  const { offset, nameBytes, compressedSize } = entry;
  const headEnd = offset + LOCAL_LENGTH + nameBytes.length;
  if (headEnd > source.size) fail("it must lie within the archive, got a place beyond its end");
  const head = await source.read(offset, headEnd);
  const view = viewOf(head);
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE) fail("it must begin with a header, got none");
  const isSame =
    view.getUint16(8, true) === entry.method &&
    view.getUint16(26, true) === nameBytes.length &&
    nameBytes.every((byte, i) => head[LOCAL_LENGTH + i] === byte);
  if (!isSame) fail("its header must name the file as the list does, got another");
  const begin = headEnd + view.getUint16(28, true);
  if (begin + compressedSize > source.size) {
    fail("it must lie within the archive, got a place beyond its end");
  }
  return begin;
}

type InflatePiece = (piece: Uint8Array, isLast: boolean) => Uint8Array[];

function stored(): InflatePiece {
  return (piece) => [piece];
}

function inflater(fail: (problem: string) => never): InflatePiece {
  let chunks: Uint8Array[] = [];
  const inflate = new Inflate((chunk) => chunks.push(chunk));
  return (piece, isLast) => {
    chunks = [];
    try {
      inflate.push(piece, isLast);
    } catch (error) {
      fail(`its compressed bytes must be whole, got ${(error as FlateError).message}`);
    }
    return chunks;
  };
}
