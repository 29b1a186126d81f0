import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type ByteSource,
  bytesSource,
  checkRange,
  type FileSet,
} from "../../model/checkpoint/byte_source.ts";
import { CliError, EXIT } from "./errors.ts";
import { fileError } from "./files.ts";

/** Largest piece that is read at once; Node reads no more than 2 GiB. */
const PIECE_BYTES = 1 << 30;

/**
 * A file on disk, read in parts. It is open only while a part is read, so there is nothing to
 * close; a file that another has replaced meanwhile is refused, not mixed with the old one.
 *
 * @throws {CliError} With exit code 5, naming the path, if there is no such file, or it changes.
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const before = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw fileError("read", path, { error, exitCode: EXIT.checkpoint });
  });
  if (!before.isFile()) {
    const got = before.isDirectory() ? "a folder" : "a pipe or a device";
    throw new CliError(EXIT.checkpoint, `Cannot read "${path}": it must be a file, got ${got}`);
  }
  const size = Number(before.size);
  if (size === 0) return bytesSource(new Uint8Array(), path);
  return {
    name: path,
    size,
    async read(begin, end) {
      checkRange(begin, end, { name: path, size });
      let opened: FileHandle | undefined;
      try {
        opened = await open(path);
        const now = await opened.stat({ bigint: true });
        const same = (["ino", "size", "mtimeNs"] as const).every((key) => now[key] === before[key]);
        if (same) return await readRange(opened, begin, end);
        throw new CliError(
          EXIT.checkpoint,
          `Cannot read "${path}": it must stay as it is while it is loaded, got a change; load it again`,
        );
      } catch (error) {
        if (error instanceof CliError) throw error;
        throw fileError("read", path, { error, exitCode: EXIT.checkpoint });
      } finally {
        await opened?.close();
      }
    },
  };
}

/** The files of a folder on disk, by name; those in folders below are not among them. */
export function folderFiles(path: string): FileSet {
  return {
    name: path,
    async open(name) {
      if (name === "" || /^\.{1,2}$|[/\\\0]/.test(name)) {
        throw new TypeError(
          `Cannot read "${path}": names of files must be plain, got ${JSON.stringify(name)}`,
        );
      }
      const file = join(path, name);
      return (await exists(file)) ? fileSource(file) : undefined;
    },
  };
}

/** Gives errors of the core their exit code, and the names in them the folder they lie in. */
export async function withPath<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CliError || !(error instanceof Error)) throw error;
    const isUrl = /^https?:/i.test(folder);
    const message = error.message.replace(
      /^Cannot read "([^"/\\]+)"/,
      (_, name: string) =>
        `Cannot read "${isUrl ? `${folder.replace(/\/$/, "")}/${name}` : join(folder, name)}"`,
    );
    throw new CliError(EXIT.checkpoint, message, { cause: error });
  }
}

/** Whether there is something; what may not be looked at is an error, not absent. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false; // nor is anything below a file
    throw fileError("read", path, { error, exitCode: EXIT.checkpoint });
  }
}

async function readRange(
  handle: FileHandle,
  begin: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - begin);
  for (let length = 0; length < bytes.length;) {
    const piece = Math.min(PIECE_BYTES, bytes.length - length);
    const { bytesRead } = await handle.read(bytes, length, piece, begin + length);
    if (bytesRead === 0) throw new Error("an end before its time");
    length += bytesRead;
  }
  return bytes;
}
