/** Bytes that are gathered before they are written: a write costs a message to another process. */
const GATHERED_BYTES = 2 ** 20;

/** What a worker has in place of `createWritable()` in browsers without it. */
interface SyncAccess {
  write(bytes: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** A file's handle as browsers have it, some of which can do only one of the two. */
export interface WritableHandle {
  createWritable?: FileSystemFileHandle["createWritable"];
  createSyncAccessHandle?: () => Promise<SyncAccess>;
}

/** Where bytes go, at once or after `close()`. */
interface Sink {
  write(bytes: Uint8Array<ArrayBuffer>, at: number): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
  abort(): Promise<void>;
}

/** Writes a file of the origin from its first byte to its last. */
export class FileWriter {
  readonly #sink: Sink;
  readonly #gathered = new Uint8Array(GATHERED_BYTES);
  #numGathered = 0;
  #written = 0;

  private constructor(sink: Sink) {
    this.#sink = sink;
  }

  /**
   * Opens a file; what is in it goes.
   *
   * @throws {TypeError} If the browser can write files in neither way.
   */
  static async open(handle: WritableHandle): Promise<FileWriter> {
    return new FileWriter(await openSink(handle));
  }

  /** Bytes so far. */
  get length(): number {
    return this.#written + this.#numGathered;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let begin = 0; begin < bytes.length;) {
      const piece = bytes.subarray(begin, begin + GATHERED_BYTES - this.#numGathered);
      this.#gathered.set(piece, this.#numGathered);
      this.#numGathered += piece.length;
      begin += piece.length;
      if (this.#numGathered === GATHERED_BYTES) await this.#flush();
    }
  }

  /** Begins anew. */
  async restart(): Promise<void> {
    this.#numGathered = 0;
    this.#written = 0;
    await this.#sink.truncate(0);
  }

  /** Writes what is left; only then the file is there. */
  async close(): Promise<void> {
    await this.#flush();
    await this.#sink.close();
  }

  /** Gives up; the file is empty, or as it was. */
  abort(): Promise<void> {
    return this.#sink.abort();
  }

  async #flush(): Promise<void> {
    if (this.#numGathered === 0) return;
    await this.#sink.write(this.#gathered.subarray(0, this.#numGathered), this.#written);
    this.#written += this.#numGathered;
    this.#numGathered = 0;
  }
}

/**
 * Makes a file long, without writing it, and then empty again: whether there is room for so many
 * bytes. Browsers that keep their estimate to themselves tell so, too.
 *
 * @throws {DOMException} `QuotaExceededError` if there is not.
 */
export async function tryLength(handle: WritableHandle, bytes: number): Promise<void> {
  const sink = await openSink(handle);
  try {
    await sink.truncate(bytes);
  } finally {
    await sink.abort().catch(() => {});
  }
}

async function openSink(handle: WritableHandle): Promise<Sink> {
  if (handle.createWritable !== undefined) {
    const stream = await handle.createWritable();
    return {
      write: (data, position) => stream.write({ type: "write", data, position }),
      truncate: (size) => stream.truncate(size),
      close: () => stream.close(),
      abort: () => stream.abort(),
    };
  }
  if (handle.createSyncAccessHandle !== undefined) {
    return syncSink(await handle.createSyncAccessHandle());
  }
  throw new TypeError("this browser must be able to write files of its own, got one that cannot");
}

function syncSink(access: SyncAccess): Sink {
  access.truncate(0);
  return {
    async write(bytes, at) {
      for (let done = 0; done < bytes.length;) {
        const count = access.write(bytes.subarray(done), { at: at + done });
        if (count === 0) throw new DOMException("no room is left", "QuotaExceededError");
        done += count;
      }
    },
    truncate: async (size) => access.truncate(size),
    async close() {
      access.flush();
      access.close();
    },
    async abort() {
      access.truncate(0);
      access.close();
    },
  };
}
