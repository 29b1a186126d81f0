import { EngineError } from "../engine/errors.ts";

/**
 * Bytes of a file, and where they belong in it. A piece that begins at 0 after others says that
 * those are to be forgotten.
 */
export interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A file that can be copied. */
export interface SourceFile {
  readonly path: string;
  /** Length, where it is known before the file is read; anything else is an error. */
  readonly bytes?: number;
  /** Length as a server has it, which is another one if it compresses what it sends. */
  readonly probableBytes?: number;
  /** Sum that is promised, in lower-case hex. */
  readonly sha256?: string;
  /** Reads it from the first byte to the last. */
  read(signal?: AbortSignal): AsyncIterable<Piece>;
}

/** A folder that a model is copied from. */
export interface SourceFolder {
  /** What people call it. */
  readonly name: string;
  /** The same for the same model at the same place, so that two tabs can tell. */
  readonly key: string;
  /** Files that are known to be there; some folders cannot be listed, and hold more. */
  readonly paths: readonly string[];
  open(path: string): Promise<SourceFile | undefined>;
}

/** Longest file that is read into memory, such as an index of shards. */
const MAX_SMALL_BYTES = 100_000_000;

/**
 * Reads a small file whole.
 *
 * @throws {EngineError} `"corrupt"` if it is longer than any of its kind.
 */
export async function readWhole(
  file: SourceFile,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const { at, bytes } of file.read(signal)) {
    if (at === 0) [pieces, length] = [[], 0];
    pieces.push(bytes);
    length += bytes.length;
    if (length > MAX_SMALL_BYTES) {
      throw new EngineError({
        kind: "corrupt",
        message: `Cannot read "${file.path}": it must have at most ${MAX_SMALL_BYTES} bytes, got more`,
        remedy: "Get the model's files again.",
      });
    }
  }
  const whole = new Uint8Array(length);
  let end = 0;
  for (const piece of pieces) {
    whole.set(piece, end);
    end += piece.length;
  }
  return whole;
}

/** The last part of a path. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The folder that all paths lie in, with its slash; empty if they lie in several, or in none. */
export function commonFolder(paths: readonly string[]): string {
  const [first = "", ...rest] = paths;
  const folder = first.slice(0, first.indexOf("/") + 1);
  return rest.every((path) => path.startsWith(folder)) ? folder : "";
}
