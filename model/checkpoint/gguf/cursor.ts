/** Thrown when bytes that the file has are not among those read yet. */
export class MoreBytesNeeded extends Error {}

/**
 * Walks through the first bytes of a GGUF file, little-endian, and never past what the file has.
 *
 * @throws {SyntaxError} By each method that advances: if the file ends before, naming it and what
 * was to be read.
 * @throws {MoreBytesNeeded} If the file goes on behind the bytes at hand.
 */
export class Cursor {
  readonly file: string;
  /** Bytes that the header may reach into: all of the file, or as many as a header may have. */
  readonly limit: number;
  offset = 0;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;

  constructor(bytes: Uint8Array<ArrayBuffer>, file: string, limit: number) {
    this.file = file;
    this.limit = limit;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A typed error about the file. */
  problem(rule: string, got: string): SyntaxError {
    return new SyntaxError(`Cannot read "${this.file}": ${rule}, got ${got}`);
  }

  uint32(what: string): number {
    return this.#view.getUint32(this.skip(4, what), true);
  }

  /** A 64-bit count or size; one that is not exact as a number is more than any file has. */
  uint64(what: string): number {
    const begin = this.skip(8, what);
    const upper = this.#view.getUint32(begin + 4, true);
    if (upper >= 2 ** 21) {
      throw this.problem(`${what} must be below 2^53`, `${this.#view.getBigUint64(begin, true)}`);
    }
    return upper * 2 ** 32 + this.#view.getUint32(begin, true);
  }

  /** A number of things, each of which takes at least so many bytes of what is left. */
  count(what: string, leastBytes: number): number {
    const count = this.uint64(what);
    const most = Math.floor((this.limit - this.offset) / leastBytes);
    if (count > most) throw this.problem(`${what} must be at most ${most}`, `${count}`);
    return count;
  }

  /** A string: its length, and UTF-8. */
  string(what: string): string {
    const length = this.count(`the length of ${what}`, 1);
    const begin = this.skip(length, what);
    try {
      return decoder.decode(this.#bytes.subarray(begin, begin + length));
    } catch {
      throw this.problem(`${what} must be UTF-8`, "other bytes");
    }
  }

  /** Steps over bytes; gives back where they begin. */
  skip(length: number, what: string): number {
    const begin = this.offset;
    if (begin + length > this.limit) {
      throw this.problem(`${what} must end within ${this.limit} bytes`, `byte ${begin + length}`);
    }
    if (begin + length > this.#bytes.length) throw new MoreBytesNeeded();
    this.offset = begin + length;
    return begin;
  }

  /** Values at a place that was stepped over, to be decoded when they are asked for. */
  view(begin: number): DataView<ArrayBuffer> {
    return new DataView(this.#view.buffer, this.#view.byteOffset + begin, this.offset - begin);
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of bytes that must be UTF-8, or undefined. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
