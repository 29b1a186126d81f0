import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { EngineError } from "../engine/errors.ts";
import { FileWriter, type WritableHandle } from "./file_writer.ts";
import type { SourceFile } from "./model_folder.ts";
import type { StoredFileInfo } from "./model_record.ts";

/** What a file must be, and who says so. */
export interface Promised {
  /** Such as `MANIFEST.json`. */
  readonly by: string;
  readonly bytes?: number | undefined;
  /** In lower-case hex. */
  readonly sha256?: string | undefined;
}

/** Options of {@linkcode copyFile}. */
export interface CopyOptions {
  readonly promises: readonly Promised[];
  readonly signal?: AbortSignal | undefined;
  /** Hears how many bytes of the file are there; fewer than before if it begins anew. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Copies a file into the origin's files, summing it up on the way.
 *
 * @param handle An empty file.
 * @throws {EngineError} `"corrupt"` if it is not what was promised; the file is then empty.
 */
export async function copyFile(
  source: SourceFile,
  handle: WritableHandle,
  { promises, signal, onBytes }: CopyOptions,
): Promise<StoredFileInfo> {
  const writer = await FileWriter.open(handle);
  try {
    let sum = sha256.create();
    for await (const { at, bytes } of source.read(signal)) {
      signal?.throwIfAborted();
      if (at === 0 && writer.length > 0) {
        await writer.restart();
        sum = sha256.create();
      }
      sum.update(bytes);
      await writer.append(bytes);
      onBytes?.(writer.length);
    }
    signal?.throwIfAborted();
    const copied = {
      path: source.path,
      bytes: writer.length,
      sha256: bytesToHex(sum.digest()),
    };
    checkPromises(copied, promises);
    await writer.close();
    return copied;
  } catch (error) {
    // The first error is the one to tell.
    await writer.abort().catch(() => {});
    throw error;
  }
}

/**
 * The SHA-256 of a file that is kept.
 *
 * @param onBytes Hears how many bytes are read.
 * @returns In lower-case hex.
 */
export async function sumBlob(
  blob: Blob,
  { signal, onBytes }: Omit<CopyOptions, "promises">,
): Promise<string> {
  const sum = sha256.create();
  for (let begin = 0; begin < blob.size; begin += CHUNK_BYTES) {
    signal?.throwIfAborted();
    const end = Math.min(begin + CHUNK_BYTES, blob.size);
    sum.update(new Uint8Array(await blob.slice(begin, end).arrayBuffer()));
    onBytes?.(end);
  }
  return bytesToHex(sum.digest());
}

/** Bytes that are read at a time. */
const CHUNK_BYTES = 2 ** 22;

/**
 * Checks that all who promise a file's length promise the same, before it is read.
 *
 * @throws {EngineError} `"corrupt"` if not.
 */
export function checkLengths(path: string, promises: readonly Promised[]): void {
  const known = promises.filter(({ bytes }) => bytes !== undefined);
  for (const { by, bytes } of known) {
    const other = known.find((promise) => promise.bytes !== bytes);
    if (other === undefined) continue;
    throw damaged(path, `${bytes} bytes, as ${by} says`, `${other.bytes}, as ${other.by} says`);
  }
}

function checkPromises({ path, ...got }: StoredFileInfo, promises: readonly Promised[]): void {
  for (const { by, bytes = got.bytes, sha256: sum = got.sha256 } of promises) {
    if (bytes !== got.bytes) throw damaged(path, `${bytes} bytes, as ${by} says`, `${got.bytes}`);
    if (sum !== got.sha256) throw damaged(path, `the SHA-256 ${sum}, as ${by} says`, got.sha256);
  }
}

function damaged(path: string, rule: string, got: string): EngineError {
  return new EngineError({
    kind: "corrupt",
    message: `Cannot save "${path}": it must have ${rule}, got ${got}`,
    remedy: "Get the file again; if that does not help, the copy it comes from is damaged.",
  });
}
