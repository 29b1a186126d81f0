import { randomUUID } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { gunzipped } from "../../data/archive/gunzip.ts";
import { CliError, EXIT, type ExitCode } from "./errors.ts";

/** Bytes read at a time. */
const CHUNK_BYTES = 1 << 16;

type Bytes = Uint8Array<ArrayBuffer>;

/** What {@linkcode writeAtomically} writes: at once, or piece by piece. */
export type Content =
  | string
  | Uint8Array
  | Iterable<string | Uint8Array>
  | AsyncIterable<string | Uint8Array>;

/**
 * Opens a file as a web stream; gzip, known by its first bytes, is decompressed.
 *
 * The file is closed at its end, on an error, or when the stream is canceled.
 *
 * @param path Path of a file, a pipe or a device such as `/dev/stdin`.
 * @param exitCode Code of the errors, for a file that is no data.
 * @throws {CliError} If the path is missing, a folder or not readable; the
 *   stream itself errors alike if the disk fails or the gzip data are damaged.
 */
export async function openFile(
  path: string,
  exitCode: ExitCode = EXIT.data,
): Promise<ReadableStream<Bytes>> {
  const handle = await open(path).catch((error: unknown) => {
    throw fileError("read", path, { error, exitCode });
  });
  let first: Bytes;
  try {
    first = await readChunk(handle);
  } catch (error) {
    await handle.close();
    throw fileError("read", path, { error, exitCode });
  }
  const raw = streamOf(first, handle);
  const isGzip = first[0] === 0x1f && first[1] === 0x8b;
  const bytes = isGzip ? (gunzipped(raw) as ReadableStream<Bytes>) : raw;
  return withErrors(bytes, (error) => fileError("read", path, { error, exitCode, isGzip }));
}

/**
 * Writes a file so that its name holds either the old bytes or all of the new
 * ones, even if the power fails: temporary name, fsync, rename, fsync the folder.
 *
 * @param exitCode Code of the errors.
 * @throws {CliError} If the folder is missing, read-only or full; the old file is untouched.
 */
export async function writeAtomically(
  path: string,
  content: Content,
  exitCode: ExitCode = EXIT.failure,
): Promise<void> {
  const folder = dirname(path);
  const unfinished = join(folder, `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const handle = await open(unfinished, "wx");
    try {
      const isWhole = typeof content === "string" || content instanceof Uint8Array;
      // Each call goes on where the last one ended.
      for await (const piece of isWhole ? [content] : content) await handle.writeFile(piece);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {}); // the first error is the one to tell
    throw isSystemError(error) ? fileError("write", path, { error, exitCode }) : error;
  }
}

/** Makes the names in a folder durable: renames into it survive a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return; // folders cannot be opened there
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readChunk(handle: FileHandle): Promise<Bytes> {
  const { bytesRead, buffer } = await handle.read(
    new Uint8Array(CHUNK_BYTES),
    0,
    CHUNK_BYTES,
    null,
  );
  return buffer.subarray(0, bytesRead);
}

function streamOf(first: Bytes, handle: FileHandle): ReadableStream<Bytes> {
  let next: Bytes | undefined = first;
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const chunk = next ?? (await readChunk(handle));
        next = undefined;
        if (chunk.length > 0) return controller.enqueue(chunk);
        await handle.close();
        controller.close();
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    cancel: () => handle.close(),
  });
}

/** The same stream with its errors replaced by better ones. */
function withErrors(
  stream: ReadableStream<Bytes>,
  explain: (error: unknown) => Error,
): ReadableStream<Bytes> {
  const reader = stream.getReader();
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const result = await reader.read().catch((error: unknown) => {
          throw explain(error);
        });
        if (result.done) controller.close();
        else controller.enqueue(result.value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Whether the operating system refused something. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

/** An error about a path that says what is wrong with it. */
export function fileError(
  verb: "read" | "write",
  path: string,
  { error, exitCode, isGzip = false }: { error: unknown; exitCode: ExitCode; isGzip?: boolean },
): CliError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    ENOENT:
      verb === "read"
        ? "the file must exist, got no such file"
        : `the folder must exist, got no folder "${dirname(path)}"`,
    ENOTDIR: "each part of the path but the last must be a folder, got a file",
    EISDIR: "it must be a file, got a folder",
    EACCES: `you must have permission to ${verb} it, got none`,
    EPERM: `you must have permission to ${verb} it, got none`,
    EROFS: "the disk must be writable, got a read-only one",
    ENOSPC: "the disk must have room for it, got a full one",
  };
  const reason =
    reasons[code ?? ""] ??
    (isGzip && !isSystemError(error)
      ? `its gzip data must be whole, got ${message}`
      : `the system must allow it, got ${message}`);
  return new CliError(exitCode, `Cannot ${verb} "${path}": ${reason}`, { cause: error });
}
