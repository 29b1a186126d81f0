/**
 * A file that is read in parts, so that a model larger than memory can be loaded: a file on disk,
 * a browser's `File`, a URL.
 */
export interface ByteSource {
  /** Name shown in errors, such as `model.safetensors`. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /**
   * Reads bytes `[begin, end)`.
   *
   * @throws {RangeError} If they do not lie within the file.
   */
  read(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A folder of files, by name: one on disk, a list of `File`s, the files below a URL. */
export interface FileSet {
  /** What the set is called in errors. */
  readonly name: string;
  /** Opens a file, or gives undefined where there is none of that name. */
  open(name: string): Promise<ByteSource | undefined>;
}

/** Bytes in memory as a {@linkcode ByteSource}. */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>, name: string): ByteSource {
  return {
    name,
    size: bytes.length,
    read(begin, end) {
      return Promise.resolve(
        bytes.subarray(...checkRange(begin, end, { name, size: bytes.length })),
      );
    },
  };
}

/** Checks that bytes lie within a file; gives them back. */
export function checkRange(
  begin: number,
  end: number,
  { name, size }: Pick<ByteSource, "name" | "size">,
): [begin: number, end: number] {
  if (!(begin >= 0 && begin <= end && end <= size)) {
    throw new RangeError(
      `Cannot read "${name}": bytes must lie within its ${size}, got [${begin}, ${end})`,
    );
  }
  return [begin, end];
}
