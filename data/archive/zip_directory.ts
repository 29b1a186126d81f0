import { entryNameProblem, foldedName } from "./entry_name.ts";

/** A file that is read in parts: on disk, a browser's `File`, bytes in memory. */
export interface RandomAccess {
  /** Name shown in errors. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Reads bytes `[begin, end)`, which lie within the file. */
  read(begin: number, end: number): Promise<Uint8Array>;
}

/** A file of a zip, as the central directory tells of it. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes once inflated, and as they are stored. */
  readonly size: number;
  readonly compressedSize: number;
  readonly crc32: number;
  /** 0: stored, 8: deflated. */
  readonly method: 0 | 8;
  /** Where its local header begins. */
  readonly offset: number;
  /** The name's bytes, which its local header must repeat. */
  readonly nameBytes: Uint8Array;
}

/** Lengths of records without names, and the longest comment of an archive. */
const END_LENGTH = 22;
const CENTRAL_LENGTH = 46;
const MAX_COMMENT = 0xffff;

/** Longest central directory: 10,000 files with the longest names take some 12 MB. */
const MAX_DIRECTORY = 1 << 25;

const END_SIGNATURE = 0x06054b50;
const CENTRAL_SIGNATURE = 0x02014b50;

/** Systems whose attributes hold the mode of a file: Unix and OS X. */
const UNIX_SYSTEMS = [3, 19];
const FILE_KIND = 0o170000;
const [FOLDER, REGULAR] = [0o040000, 0o100000];

/**
 * Reads the list of files of a zip, and refuses what no download of data has.
 *
 * Refused are: names that lead out of a folder, twice the same name whatever its case, links and
 * devices, encrypted files, methods other than "stored" and "deflated", files that overlap, and
 * archives that are cut off, in several volumes, or in the 64-bit form. Folders are passed over.
 *
 * @throws {SyntaxError} Naming the archive, the entry and the remedy.
 * @see {@link https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT | PKWARE's APPNOTE}
 */
export async function readZipDirectory(
  source: RandomAccess,
  { maxEntries }: { readonly maxEntries: number },
): Promise<ZipEntry[]> {
  const end = await findEnd(source);
  if (end.count > maxEntries) {
    throw zipError(source, `it must hold at most ${maxEntries} files, got ${end.count}`);
  }
  const bytes = await source.read(end.offset, end.offset + end.size);
  const view = viewOf(bytes);
  const entries: ZipEntry[] = [];
  const seen = new Set<string>();
  let at = 0;
  for (let i = 0; i < end.count; i++) {
    const isWhole = at + CENTRAL_LENGTH <= bytes.length;
    if (!isWhole || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      throw zipError(source, `its list must hold ${end.count} files, got ${i} (download it again)`);
    }
    const { entry, length } = readEntry(source, bytes, at);
    at += length;
    const folded = foldedName(entry.name);
    if (seen.has(folded)) {
      throw zipError(source, "a name must occur once, whatever its case, got it twice", entry.name);
    }
    seen.add(folded);
    if (!entry.name.endsWith("/")) entries.push(entry);
  }
  if (at !== bytes.length) {
    throw zipError(source, `its list must end with the last file, got ${bytes.length - at} bytes`);
  }
  checkOverlaps(source, entries, end.offset);
  return entries;
}

/** An error on a zip, or one of its files. */
export function zipError(source: RandomAccess, problem: string, entry?: string): SyntaxError {
  return new SyntaxError(`Cannot read ${placeOf(source.name, entry)}: ${problem}`);
}

/** An archive and a file of it, for errors. */
export function placeOf(archive: string, entry?: string): string {
  return entry === undefined ? `"${archive}"` : `"${archive}" (${JSON.stringify(entry)})`;
}

/** A view of bytes that may be part of a larger buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface DirectoryEnd {
  readonly count: number;
  readonly offset: number;
  readonly size: number;
}

/** Finds the record that ends the archive; a comment may stand behind it. */
async function findEnd(source: RandomAccess): Promise<DirectoryEnd> {
  const from = Math.max(0, source.size - END_LENGTH - MAX_COMMENT);
  const bytes = await source.read(from, source.size);
  const view = viewOf(bytes);
  for (let at = bytes.length - END_LENGTH; at >= 0; at--) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    if (at + END_LENGTH + view.getUint16(at + 20, true) !== bytes.length) continue;
    return readEnd(source, view, { at, place: from + at });
  }
  throw zipError(
    source,
    "it must be a whole zip, got none or the beginning of one (download it again)",
  );
}

function readEnd(
  source: RandomAccess,
  view: DataView,
  { at, place }: { readonly at: number; readonly place: number },
): DirectoryEnd {
  const [disk, directoryDisk] = [view.getUint16(at + 4, true), view.getUint16(at + 6, true)];
  const [countHere, count] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  const [size, offset] = [view.getUint32(at + 12, true), view.getUint32(at + 16, true)];
  if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) {
    throw zipError(
      source,
      "it must be a zip of at most 65,534 files and 4 GiB, got the 64-bit form " +
        "(unpack it, and name the folder)",
    );
  }
  if (disk !== 0 || directoryDisk !== 0 || countHere !== count) {
    throw zipError(source, "it must be in one volume, got a part of several (join them first)");
  }
  if (offset + size !== place || size > MAX_DIRECTORY) {
    throw zipError(
      source,
      `its list must end where the archive does, got ${size} bytes at ${offset} before ${place} ` +
        "(download it again)",
    );
  }
  return { count, offset, size };
}

function readEntry(
  source: RandomAccess,
  bytes: Uint8Array,
  at: number,
): { entry: ZipEntry; length: number } {
  const view = viewOf(bytes);
  const u16 = (offset: number): number => view.getUint16(at + offset, true);
  const u32 = (offset: number): number => view.getUint32(at + offset, true);
  const [nameLength, extraLength, commentLength] = [u16(28), u16(30), u16(32)];
  const length = CENTRAL_LENGTH + nameLength + extraLength + commentLength;
  if (at + length > bytes.length) {
    throw zipError(source, "its list must be whole, got a part (download it again)");
  }
  const nameBytes = bytes.slice(at + CENTRAL_LENGTH, at + CENTRAL_LENGTH + nameLength);
  const name = decodeName(nameBytes);
  const fail = (problem: string): never => {
    throw zipError(source, problem, name);
  };
  const problem = entryNameProblem(name);
  if (problem !== undefined) fail(problem);
  const [flags, method] = [u16(8), u16(10)];
  if ((flags & 0x2041) !== 0) fail("it must not be encrypted, got a file with a password");
  if (method !== 0 && method !== 8) {
    fail(`it must be stored or deflated, got method ${method} (pack it again as a plain zip)`);
  }
  checkKind(bytes[at + 5]!, u32(38) >>> 16, fail);
  const [compressedSize, size] = [u32(20), u32(24)];
  if (compressedSize === 0xffffffff || size === 0xffffffff) {
    fail("it must have less than 4 GiB, got the 64-bit form (unpack it, and name the folder)");
  }
  if (method === 0 && compressedSize !== size) {
    fail(`a stored file must have one size, got ${compressedSize} and ${size}`);
  }
  return {
    entry: {
      name,
      size,
      compressedSize,
      crc32: u32(16),
      method: method === 0 ? 0 : 8,
      offset: u32(42),
      nameBytes,
    },
    length,
  };
}

function checkKind(system: number, mode: number, fail: (problem: string) => never): void {
  const kind = mode & FILE_KIND;
  if (!UNIX_SYSTEMS.includes(system) || kind === 0) return;
  if (kind !== REGULAR && kind !== FOLDER) {
    fail("it must be a file or a folder, got a link or a device (pack the file itself)");
  }
}

/** Names are UTF-8 by flag and by habit; old programs wrote one byte a character. */
function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice());
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  }
}

/** Files one after another, as honest programs write them; bombs let many share the same bytes. */
function checkOverlaps(source: RandomAccess, entries: readonly ZipEntry[], end: number): void {
  const ordered = entries.toSorted((a, b) => a.offset - b.offset);
  for (const [i, { name, offset, compressedSize, nameBytes }] of ordered.entries()) {
    const next = ordered[i + 1]?.offset ?? end;
    if (offset + 30 + nameBytes.length + compressedSize > next) {
      throw zipError(source, "it must lie apart from the next file, got an overlap", name);
    }
  }
}
