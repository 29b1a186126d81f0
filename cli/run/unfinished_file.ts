import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError, EXIT } from "../platform/errors.ts";
import { fileError, isSystemError, syncFolder } from "../platform/files.ts";

/** Characters that wait before they are written. */
const BUFFER_LENGTH = 2 ** 16;

/**
 * A file that is written line by line as `<path>.partial`, and gets its name once it is whole. If
 * that does not come to pass, the lines so far stay where they are.
 */
export class UnfinishedFile {
  readonly path: string;
  readonly partialPath: string;
  readonly #handle: FileHandle;
  #buffer = "";
  #numLines = 0;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.partialPath = `${path}.partial`;
    this.#handle = handle;
  }

  /**
   * Creates the file, in place of what an earlier attempt has left.
   *
   * @throws {CliError} If the folder is missing or not writable.
   */
  static async open(path: string): Promise<UnfinishedFile> {
    const handle = await open(`${path}.partial`, "w").catch((error: unknown) => {
      throw writeError(path, error);
    });
    return new UnfinishedFile(path, handle);
  }

  /** Lines so far. */
  get numLines(): number {
    return this.#numLines;
  }

  /** Appends a line; it reaches the disk soon, or with {@linkcode flush}. */
  async line(text: string): Promise<void> {
    this.#buffer += `${text}\n`;
    this.#numLines += 1;
    if (this.#buffer.length >= BUFFER_LENGTH) await this.flush();
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    const text = this.#buffer;
    this.#buffer = "";
    await this.#handle.writeFile(text).catch((error: unknown) => {
      throw writeError(this.path, error);
    });
  }

  /** Makes the file durable and gives it its name. */
  async finish(): Promise<void> {
    await this.flush();
    try {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.partialPath, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw writeError(this.path, error);
    }
  }

  /** Leaves the lines so far as they are, if there are any; the first error is the one to tell. */
  async abandon(): Promise<void> {
    await this.flush().catch(() => {});
    await this.#handle.close().catch(() => {});
    if (this.#numLines === 0) await rm(this.partialPath, { force: true }).catch(() => {});
  }
}

function writeError(path: string, error: unknown): unknown {
  if (error instanceof CliError || !isSystemError(error)) return error;
  return fileError("write", path, { error, exitCode: EXIT.failure });
}
