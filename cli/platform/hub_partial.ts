import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "./files.ts";
import type { HubFile } from "./hub_listing.ts";

/** Bytes read at a time. */
const PIECE_BYTES = 2 ** 20;

/**
 * A file of which a part has come: it lies under `<blob>.tenure.incomplete`, a name that no other
 * program appends to, since what is published must be what was hashed, and gets its final name only when all of it is there, has the digest it must have, and is
 * flushed to disk.
 */
export class PartialBlob {
  readonly #blob: string;
  readonly #file: HubFile;
  readonly #handle: FileHandle;
  #hash: Hash;
  #length = 0;

  private constructor(blob: string, file: HubFile, handle: FileHandle) {
    this.#blob = blob;
    this.#file = file;
    this.#handle = handle;
    this.#hash = hashOf(file);
  }

  /**
   * Opens what an earlier download has left, or begins anew.
   *
   * @param blob Path of the final name.
   * @param file What it must become.
   * @param signal Ends the reading of what is there.
   */
  static async open(blob: string, file: HubFile, signal?: AbortSignal): Promise<PartialBlob> {
    await mkdir(dirname(blob), { recursive: true });
    const handle = await open(incompletePath(blob), "a+");
    const partial = new PartialBlob(blob, file, handle);
    try {
      const { size } = await handle.stat();
      if (size > file.size) await partial.reset();
      else partial.#length = await hashInto(partial.#hash, handle, signal);
      return partial;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that are there. */
  get length(): number {
    return this.#length;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#handle.writeFile(bytes); // opened for appending
    this.#hash.update(bytes);
    this.#length += bytes.length;
  }

  /** Forgets what is there. */
  async reset(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = hashOf(this.#file);
    this.#length = 0;
  }

  /** Gives all bytes their final name, or, if they are not those of the digest, deletes them. */
  async publish(): Promise<boolean> {
    const { size, digest } = this.#file;
    if (this.#length !== size || this.#hash.digest("hex") !== digest) {
      await this.reset();
      return false;
    }
    await this.#handle.sync();
    await rename(incompletePath(this.#blob), this.#blob);
    await syncFolder(dirname(this.#blob));
    return true;
  }

  /** Closes the file; an empty one leaves nothing. */
  async close(): Promise<void> {
    await this.#handle.close();
    if (this.#length === 0) await rm(incompletePath(this.#blob), { force: true });
  }
}

/** Where a blob lies until it is whole. */
export function incompletePath(blob: string): string {
  return `${blob}.tenure.incomplete`;
}

/**
 * Whether a blob in the cache is what it must be; reads all of it.
 *
 * @returns Undefined if there is none.
 */
export async function checkBlob(
  blob: string,
  file: HubFile,
  signal?: AbortSignal,
): Promise<boolean | undefined> {
  const handle = await open(blob).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  });
  if (handle === undefined) return undefined;
  try {
    if ((await handle.stat()).size !== file.size) return false;
    const hash = hashOf(file);
    await hashInto(hash, handle, signal);
    return hash.digest("hex") === file.digest;
  } finally {
    await handle.close();
  }
}

/** Git puts kind and length before the bytes of a file that it hashes. */
function hashOf({ algorithm, size }: HubFile): Hash {
  const hash = createHash(algorithm);
  return algorithm === "sha1" ? hash.update(`blob ${size}\0`) : hash;
}

/** Hashes a file from its beginning, and says how many bytes it has. */
async function hashInto(hash: Hash, handle: FileHandle, signal?: AbortSignal): Promise<number> {
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let length = 0; ;) {
    signal?.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, PIECE_BYTES, length);
    if (bytesRead === 0) return length;
    hash.update(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
}
