/** One file of an {@linkcode Archive}. */
export interface ArchiveEntry {
  /** Path within the set, folders separated by `/`: `"extract/default.csv"`. */
  readonly name: string;
  /** Bytes of the file as {@linkcode Archive.open} gives it, where they are known beforehand. */
  readonly size?: number;
}

/** A set of files: one file, a folder, a zip. */
export interface Archive {
  /** What the set is called in errors. */
  readonly name: string;
  /** All files, none twice. */
  readonly entries: readonly ArchiveEntry[];
  /**
   * Opens a file. Nothing is read before the stream is.
   *
   * @throws {RangeError} If there is none of that name.
   */
  open(name: string): ReadableStream<Uint8Array>;
}

/** Chunks as a stream, each made when it is asked for. */
export function streamOfChunks(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await chunks.return();
    },
  });
}

/** The chunks of a stream, which is let go of when the consumer stops. */
export async function* chunksOfStream(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

/** One file as a set. */
export function singleFile(name: string, open: () => ReadableStream<Uint8Array>): Archive {
  return {
    name,
    entries: [{ name }],
    open(wanted) {
      if (wanted !== name) throw noEntry(name, wanted);
      return open();
    },
  };
}

/** The error for a file that is not in a set. */
export function noEntry(archive: string, wanted: string): RangeError {
  return new RangeError(
    `Cannot read "${archive}": the file must be in it, got ${JSON.stringify(wanted)}`,
  );
}
