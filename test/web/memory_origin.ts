/**
 * An origin's files, locks and storage in memory, faithful where the store relies on it: a file
 * that is written is there only once its stream is closed, `getFile()` gives a snapshot, names are
 * checked, room is limited, and a lock of a tab that is gone is free.
 */
export class MemoryOrigin {
  readonly root: MemoryFolder;
  readonly storage: Pick<StorageManager, "estimate" | "persisted">;
  readonly locks: MemoryLocks = new MemoryLocks();
  /** Bytes that the origin may take. */
  quota: number;
  /** Called before each write of bytes; may throw as a disk would, or never end as in a tab that was closed. */
  onWrite: (name: string, position: number) => void | Promise<void> = () => {};

  constructor(quota = 2 ** 30) {
    this.quota = quota;
    this.root = new MemoryFolder("", this);
    this.storage = {
      estimate: async () => ({ quota: this.quota, usage: this.usage }),
      persisted: async () => false,
    };
  }

  /** Bytes that files and unfinished writes take. */
  get usage(): number {
    return this.root.bytes;
  }

  /** What to give the store. */
  get options(): {
    root: FileSystemDirectoryHandle;
    locks: Pick<LockManager, "request">;
    storage: Pick<StorageManager, "estimate" | "persisted">;
  } {
    const { locks, storage } = this;
    return { root: this.root.handle, locks: locks.tab(), storage };
  }

  /** Paths of all files, with their lengths. */
  files(): Record<string, number> {
    return Object.fromEntries(this.root.walk("").toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** A file, to damage it. */
  file(pattern: RegExp): { readonly folder: MemoryFolder; readonly name: string } {
    const path = Object.keys(this.files()).find((each) => pattern.test(each));
    if (path === undefined) throw new Error(`no file ${String(pattern)}`);
    const parts = path.split("/");
    const name = parts.pop()!;
    let folder = this.root;
    for (const part of parts) folder = folder.folders.get(part)!;
    return { folder, name };
  }
}

/** A folder; its `handle` is what browsers give. */
export class MemoryFolder {
  readonly name: string;
  readonly folders: Map<string, MemoryFolder> = new Map();
  readonly contents: Map<string, Uint8Array<ArrayBuffer>> = new Map();
  /** Bytes that open streams have written. */
  readonly unfinished: Map<object, number> = new Map();
  readonly #origin: MemoryOrigin;

  constructor(name: string, origin: MemoryOrigin) {
    this.name = name;
    this.#origin = origin;
  }

  get bytes(): number {
    const own = [...this.contents.values()].map(({ length }) => length);
    const below = [...this.folders.values()].map(({ bytes }) => bytes);
    return [...own, ...this.unfinished.values(), ...below].reduce((a, b) => a + b, 0);
  }

  walk(path: string): [string, number][] {
    const own = Array.from(this.contents, ([name, { length }]): [string, number] => [
      path + name,
      length,
    ]);
    return [...own, ...[...this.folders].flatMap(([name, each]) => each.walk(`${path}${name}/`))];
  }

  get handle(): FileSystemDirectoryHandle {
    const handle = {
      kind: "directory",
      name: this.name,
      getDirectoryHandle: async (name: string, { create = false } = {}) => {
        checkName(name);
        if (this.contents.has(name)) throw new DOMException(name, "TypeMismatchError");
        const found = this.folders.get(name);
        if (found === undefined && !create) throw new DOMException(name, "NotFoundError");
        const folder = found ?? new MemoryFolder(name, this.#origin);
        this.folders.set(name, folder);
        return folder.handle;
      },
      getFileHandle: async (name: string, { create = false } = {}) => {
        checkName(name);
        if (this.folders.has(name)) throw new DOMException(name, "TypeMismatchError");
        if (!this.contents.has(name) && !create) throw new DOMException(name, "NotFoundError");
        if (!this.contents.has(name)) this.contents.set(name, new Uint8Array());
        return this.#fileHandle(name);
      },
      removeEntry: async (name: string, { recursive = false } = {}) => {
        checkName(name);
        const folder = this.folders.get(name);
        if (folder !== undefined && folder.walk("").length > 0 && !recursive) {
          throw new DOMException(name, "InvalidModificationError");
        }
        if (!this.folders.delete(name) && !this.contents.delete(name)) {
          throw new DOMException(name, "NotFoundError");
        }
      },
      entries: async function* (this: { readonly folder: MemoryFolder }) {
        for (const [name, folder] of this.folder.folders) yield [name, folder.handle];
        for (const name of this.folder.contents.keys()) {
          yield [name, await this.folder.handle.getFileHandle(name)];
        }
      },
      folder: this,
    };
    return handle as unknown as FileSystemDirectoryHandle;
  }

  #fileHandle(name: string): FileSystemFileHandle {
    const current = (): Uint8Array<ArrayBuffer> => {
      const bytes = this.contents.get(name);
      if (bytes === undefined) throw new DOMException(name, "NotFoundError");
      return bytes;
    };
    const handle = {
      kind: "file",
      name,
      getFile: async () => new File([current()], name),
      createWritable: async () => {
        current();
        return this.#stream(name);
      },
    };
    return handle as unknown as FileSystemFileHandle;
  }

  #stream(name: string): FileSystemWritableFileStream {
    const key = {};
    let buffer = new Uint8Array(0);
    const end = () => this.unfinished.delete(key);
    const stream = {
      write: async ({ data, position }: { data: Uint8Array; position: number }) => {
        // What is written later must not be what the caller has changed meanwhile.
        const bytes = data.slice();
        await this.#origin.onWrite(name, position);
        const length = Math.max(buffer.length, position + bytes.length);
        if (this.#origin.usage - buffer.length + length > this.#origin.quota) {
          end();
          throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
        }
        const grown = new Uint8Array(length);
        grown.set(buffer);
        grown.set(bytes, position);
        buffer = grown;
        this.unfinished.set(key, length);
      },
      truncate: async (size: number) => {
        if (this.#origin.usage - buffer.length + size > this.#origin.quota) {
          end();
          throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
        }
        const resized = new Uint8Array(size);
        resized.set(buffer.subarray(0, size));
        buffer = resized;
        this.unfinished.set(key, size);
      },
      close: async () => {
        end();
        this.contents.set(name, buffer);
      },
      abort: async () => {
        end();
      },
    };
    return stream as unknown as FileSystemWritableFileStream;
  }
}

/** Locks that tabs share. */
export class MemoryLocks {
  readonly #held = new Map<string, { readonly mode: LockMode; readonly tab: object }[]>();

  /** The locks as one tab has them. */
  tab(): Pick<LockManager, "request"> & { close(): void } {
    const tab = {};
    const request = async (
      name: string,
      { mode = "exclusive", ifAvailable = false }: LockOptions,
      callback: (lock: Lock | null) => unknown,
    ): Promise<unknown> => {
      if (!ifAvailable) throw new Error("the store must never wait for a lock");
      const others = this.#held.get(name) ?? [];
      if (others.length > 0 && !(mode === "shared" && others.every((o) => o.mode === "shared"))) {
        return callback(null);
      }
      const own = { mode, tab };
      this.#held.set(name, [...others, own]);
      try {
        return await callback({ name, mode });
      } finally {
        this.#drop(name, (each) => each === own);
      }
    };
    const close = () => {
      for (const name of this.#held.keys()) this.#drop(name, (each) => each.tab === tab);
    };
    return { request: request as LockManager["request"], close };
  }

  /** Names of the locks that are held. */
  held(): string[] {
    return [...this.#held].filter(([, holds]) => holds.length > 0).map(([name]) => name);
  }

  #drop(name: string, isDropped: (held: { readonly tab: object }) => boolean): void {
    this.#held.set(
      name,
      (this.#held.get(name) ?? []).filter((each) => !isDropped(each)),
    );
  }
}

function checkName(name: string): void {
  if (name === "" || name === "." || name === ".." || /[/\\]/.test(name)) {
    throw new TypeError(`Name is not allowed: ${name}`);
  }
}
