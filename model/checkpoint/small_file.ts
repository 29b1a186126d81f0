import type { ByteSource } from "./byte_source.ts";

/** Longest file that is read whole, in bytes; the largest vocabularies take a third of it. */
const MAX_BYTES = 100_000_000;

/**
 * Reads a whole file, of which none is read if it is longer than any of its kind.
 *
 * @param maxBytes Bytes it may have.
 * @throws {SyntaxError} If it has more.
 */
export async function readSmallFile(
  source: ByteSource,
  maxBytes: number = MAX_BYTES,
): Promise<Uint8Array<ArrayBuffer>> {
  if (source.size <= maxBytes) return source.read(0, source.size);
  throw new SyntaxError(
    `Cannot read "${source.name}": it must have at most ${maxBytes} bytes, got ${source.size}`,
  );
}

/**
 * Reads a whole text file.
 *
 * @param maxBytes Bytes it may have.
 * @throws {SyntaxError} If it has more, or is not UTF-8.
 */
export async function readTextFile(source: ByteSource, maxBytes?: number): Promise<string> {
  const bytes = await readSmallFile(source, maxBytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SyntaxError(`Cannot read "${source.name}": it must be UTF-8, got other bytes`, {
      cause,
    });
  }
}
