import { readdir, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import {
  type Archive,
  openZip,
  type RandomAccess,
  singleFile,
  streamOfChunks,
} from "../../data/archive/mod.ts";
import { noEntry } from "../../data/archive/archive.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { fileSource } from "../platform/file_source.ts";
import { fileError } from "../platform/files.ts";

/** Bytes of a file that are read at once. */
const READ_BYTES = 1 << 20;

/** Most files of a folder, so that nobody imports a home folder by mistake. */
const MAX_FILES = 10_000;

/**
 * Opens what somebody has downloaded: folders with all that lies below them, zips (also those that
 * lie at the top of a folder), and single files.
 *
 * @throws {CliError} With exit code 3 if a path is missing or not readable.
 * @throws {SyntaxError} If a zip is damaged or holds what no download has.
 */
export async function openDownloads(paths: readonly string[]): Promise<Archive[]> {
  const archives: Archive[] = [];
  for (const path of paths) {
    const found = await stat(path).catch((error: unknown) => {
      throw fileError("read", path, { error, exitCode: EXIT.data });
    });
    archives.push(...(found.isDirectory() ? await openFolder(path) : [await openOne(path, path)]));
  }
  return archives;
}

/** A zip, or a file as a set of one. */
async function openOne(path: string, name: string): Promise<Archive> {
  const source = await asData(() => fileSource(path));
  const head = await read(source, 0, Math.min(4, source.size));
  const isZip = head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5);
  if (isZip || /\.zip$/i.test(path)) return openZip(guarded({ ...source, name }));
  return singleFile(basename(path), () => streamOf(source));
}

async function openFolder(folder: string): Promise<Archive[]> {
  const names = await filesBelow(folder);
  const isTopZip = (name: string): boolean => /^[^/]+\.zip$/i.test(name);
  const zips = [];
  for (const name of names.filter(isTopZip)) {
    const path = join(folder, name);
    zips.push(await openOne(path, path));
  }
  const plain = names.filter((name) => !isTopZip(name));
  const known = new Set(plain);
  const files: Archive = {
    name: folder,
    entries: plain.map((name) => ({ name })),
    open(name) {
      if (!known.has(name)) throw noEntry(folder, name);
      return lazy(() => asData(() => fileSource(join(folder, name))));
    },
  };
  return plain.length === 0 ? zips : [files, ...zips];
}

/** Names of the files below a folder, with `/` between folders, sorted. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      throw fileError("read", folder, { error, exitCode: EXIT.data });
    },
  );
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((name) => !/(^|\/)\./.test(name));
  if (names.length <= MAX_FILES) return names.toSorted();
  throw new CliError(
    EXIT.data,
    `Cannot read "${folder}": it must hold at most ${MAX_FILES} files, got ${names.length} (name the folder of the download)`,
  );
}

function streamOf(source: RandomAccess): ReadableStream<Uint8Array> {
  return lazy(() => Promise.resolve(source));
}

/** A file that is opened once it is read. */
function lazy(open: () => Promise<RandomAccess>): ReadableStream<Uint8Array> {
  return streamOfChunks(
    (async function* () {
      const source = await open();
      for (let at = 0; at < source.size; at += READ_BYTES) {
        yield await read(source, at, Math.min(at + READ_BYTES, source.size));
      }
    })(),
  );
}

function guarded(source: RandomAccess): RandomAccess {
  return { ...source, read: (begin, end) => read(source, begin, end) };
}

function read(source: RandomAccess, begin: number, end: number): Promise<Uint8Array> {
  return asData(() => source.read(begin, end));
}

/** What cannot be read here are data, not a checkpoint. */
async function asData<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.checkpoint) throw error;
    throw new CliError(EXIT.data, error.message, { cause: error });
  }
}
