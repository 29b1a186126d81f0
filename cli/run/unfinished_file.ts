import { access, constants, type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError, EXIT } from "../platform/errors.ts";
import { fileError, isSystemError, syncFolder } from "../platform/files.ts";

/** Characters that wait before they are written. */
const BUFFER_LENGTH = 2 ** 16;

/** Options of {@linkcode UnfinishedFile.open}. */
export interface UnfinishedFileOptions {
  /** Takes a sentence on lines of an earlier attempt that were moved aside. */
  readonly onNote?: (text: string) => void;
}

/**
 * A file that is written line by line as `<path>.partial`, and gets its name once it is whole. If
 * that does not come to pass, the lines so far stay where they are. It begins to be with its first
 * line; what an earlier attempt has left is then moved aside, to `<path>.partial.1` or the next
 * number that is free.
 */
export class UnfinishedFile {
  readonly path: string;
  readonly partialPath: string;
  readonly #onNote: (text: string) => void;
  #handle: FileHandle | undefined;
  #buffer = "";
  #numLines = 0;

  private constructor(path: string, { onNote = () => {} }: UnfinishedFileOptions) {
    this.path = path;
    this.partialPath = `${path}.partial`;
    this.#onNote = onNote;
  }

  /**
   * Gets ready to write; no file is touched yet.
   *
   * @throws {CliError} If the folder is missing or not writable.
   */
  static async open(path: string, options: UnfinishedFileOptions = {}): Promise<UnfinishedFile> {
    await access(dirname(path), constants.W_OK).catch((error: unknown) => {
      throw writeError(path, error);
    });
    return new UnfinishedFile(path, options);
  }

  /** Lines so far. */
  get numLines(): number {
    return this.#numLines;
  }

  /** Appends a line; it reaches the disk soon, or with {@linkcode flush}. */
  async line(text: string): Promise<void> {
    await this.#begin();
    this.#buffer += `${text}\n`;
    this.#numLines += 1;
    if (this.#buffer.length >= BUFFER_LENGTH) await this.flush();
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    const text = this.#buffer;
    if (text === "" || this.#handle === undefined) return;
    this.#buffer = "";
    await this.#handle.writeFile(text).catch((error: unknown) => {
      throw writeError(this.path, error);
    });
  }

  /** Makes the file durable and gives it its name. */
  async finish(): Promise<void> {
    const handle = await this.#begin();
    await this.flush();
    try {
      await handle.sync();
      await handle.close();
      await rename(this.partialPath, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw writeError(this.path, error);
    }
  }

  /** Leaves the lines so far as they are, if there are any; the first error is the one to tell. */
  async abandon(): Promise<void> {
    await this.flush().catch(() => {});
    await this.#handle?.close().catch(() => {});
  }

  /** Creates the file, beside the lines of an earlier attempt. */
  async #begin(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    try {
      const aside = await moveAside(this.partialPath);
      if (aside !== undefined) {
        this.#onNote(`Lines of an earlier attempt were moved to "${aside}"`);
      }
      this.#handle = await open(this.partialPath, "w");
    } catch (error) {
      throw writeError(this.path, error);
    }
    return this.#handle;
  }
}

/** Gives a file another name if it holds anything; returns that name. */
async function moveAside(path: string): Promise<string | undefined> {
  const size = await sizeOf(path);
  if (size === undefined || size === 0) return undefined;
  for (let number = 1; ; number += 1) {
    const aside = `${path}.${number}`;
    if ((await sizeOf(aside)) !== undefined) continue;
    await rename(path, aside);
    return aside;
  }
}

/** Bytes of a file; undefined if there is none. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isSystemError(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function writeError(path: string, error: unknown): unknown {
  if (error instanceof CliError || !isSystemError(error)) return error;
  return fileError("write", path, { error, exitCode: EXIT.failure });
}
