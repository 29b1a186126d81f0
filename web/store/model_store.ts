import type { FileSet } from "../../model/checkpoint/byte_source.ts";
import { fileSource } from "../../model/pretrained/file_sets.ts";
import type {
  CallOptions,
  ModelFile,
  ModelSource,
  SaveOptions,
  StoredModelInfo,
  StoreState,
} from "../engine/api.ts";
import { EngineError } from "../engine/errors.ts";
import { blobFolder } from "./blob_folder.ts";
import { sumBlob } from "./copy_file.ts";
import type { FetchOptions } from "./download.ts";
import type { SourceFolder } from "./model_folder.ts";
import type { StoreStorage } from "./quota.ts";
import { busySaving, saveModel } from "./save_model.ts";
import { storeError } from "./store_errors.ts";
import { type StoredFolder, StoreFolder } from "./store_folder.ts";
import { modelLock, sourceLock, type StoreLocks, tryHold } from "./store_locks.ts";
import { urlFolder } from "./url_folder.ts";

/** Options of {@linkcode openModelStore}. */
export interface ModelStoreOptions extends Omit<FetchOptions, "signal"> {
  /** @default {the origin's own folder} */
  readonly root?: FileSystemDirectoryHandle;
  /** @default {`navigator.locks`} */
  readonly locks?: StoreLocks;
  /** @default {`navigator.storage`} */
  readonly storage?: StoreStorage;
}

/** Files of a stored model, which nobody can remove until they are released. */
export interface StoredFiles extends FileSet {
  readonly info: StoredModelInfo;
  /** The same files, as a page hands them over: read in parts, not copied. */
  readonly files: readonly ModelFile[];
  /** Lets others remove the model; the files may not be read any more. */
  release(): void;
}

/** Models that this origin keeps, in files that no other origin can see. */
export interface ModelStore {
  list(): Promise<StoreState>;
  /**
   * Opens a model's files.
   *
   * @throws {EngineError} `"corrupt"` if files are missing or of another length than when they were
   *   saved, `"busy"` if another tab is removing it, `"bad-input"` if there is no such model.
   */
  files(id: string): Promise<StoredFiles>;
  /**
   * Copies a model into the store, checked and whole, or not at all; the same model is kept once.
   *
   * @throws {EngineError} `"quota"`, `"corrupt"`, `"network"`, `"busy"`, `"unsupported"`,
   *   `"aborted"` or `"bad-input"`.
   */
  save(source: ModelSource, options?: SaveOptions): Promise<StoredModelInfo>;
  /**
   * Reads all of a model's files and compares their sums with those of the day it was saved.
   *
   * @throws {EngineError} `"corrupt"` if one is another, naming it.
   */
  verify(id: string, options?: CallOptions): Promise<void>;
  /** @throws {EngineError} `"busy"` if it is in use, here or in another tab. */
  remove(id: string): Promise<void>;
}

/**
 * Opens the store of this origin; it works in windows and workers. Folders that others left
 * unfinished are swept before the first answer.
 *
 * Each model has a lock (Web Locks): shared while its files are open, exclusive while it is put in
 * place or removed. Nothing waits for a lock; who does not get it is told so.
 *
 * @see https://fs.spec.whatwg.org/ and https://w3c.github.io/web-locks/
 * @example
 * ```ts ignore
 * const store = openModelStore();
 * const { id } = await store.save({ kind: "url", url: "https://example.org/model/" });
 * const model = await loadPretrained((await store.files(id)).files);
 * ```
 */
export function openModelStore(options: ModelStoreOptions = {}): ModelStore {
  return new OriginStore(options);
}

class OriginStore implements ModelStore {
  readonly #options: ModelStoreOptions;
  readonly #locks: StoreLocks | undefined;
  readonly #storage: StoreStorage | undefined;
  #opened: Promise<StoreFolder> | undefined;

  constructor(options: ModelStoreOptions) {
    // Node, where tests run, has no navigator before version 21.
    const own = (globalThis as { navigator?: Partial<Navigator> }).navigator;
    this.#options = options;
    this.#locks = options.locks ?? own?.locks;
    this.#storage = options.storage ?? own?.storage;
  }

  async list(): Promise<StoreState> {
    return this.#attempt("list the stored models", async () => {
      const folders = await (await this.#open()).list();
      const damaged = folders.flatMap(({ id, damage }) =>
        damage === undefined ? [] : [{ id, message: damage }],
      );
      const { usage, quota } = (await this.#storage?.estimate()) ?? {};
      const isPersistent = await this.#storage?.persisted?.();
      return {
        models: folders.flatMap(({ info, damage }) =>
          info === undefined || damage !== undefined ? [] : [info],
        ),
        ...(usage !== undefined && { usage }),
        ...(quota !== undefined && { quota }),
        ...(isPersistent !== undefined && { isPersistent }),
        ...(damaged.length > 0 && { damaged }),
      };
    });
  }

  files(id: string): Promise<StoredFiles> {
    return this.#attempt(`open the stored model "${id}"`, async () => {
      const store = await this.#open();
      const release = await tryHold(this.#locks!, modelLock(id), "shared");
      if (release === undefined) throw busy("open", id);
      try {
        const stored = await this.#find(store, id);
        if (stored.info === undefined || stored.damage !== undefined) throw corrupt(stored);
        return filesOf(stored.info, await store.files(stored), release);
      } catch (error) {
        release();
        throw error;
      }
    });
  }

  save(source: ModelSource, options: SaveOptions = {}): Promise<StoredModelInfo> {
    const { signal } = options;
    const task = async (): Promise<StoredModelInfo> => {
      signal?.throwIfAborted();
      const store = await this.#open();
      if (source.kind === "stored") return (await this.#whole(store, source.id)).info;
      const folder = await this.#folderOf(source, signal);
      const release = await tryHold(this.#locks!, sourceLock(folder.key), "exclusive");
      if (release === undefined) throw busySaving(options.name ?? folder.name);
      try {
        const place = { store, locks: this.#locks!, storage: this.#storage };
        return await saveModel(place, folder, options);
      } finally {
        release();
      }
    };
    return this.#attempt(
      options.name === undefined ? "save the model" : `save "${options.name}"`,
      task,
      signal,
    );
  }

  verify(id: string, { signal, onProgress }: CallOptions = {}): Promise<void> {
    const task = async (): Promise<void> => {
      const opened = await this.files(id);
      const { info, files } = opened;
      try {
        let done = 0;
        for (const [index, { path, blob }] of files.entries()) {
          const onBytes = (bytes: number) =>
            onProgress?.({
              phase: "check",
              what: path,
              done: done + bytes,
              total: info.bytes,
              unit: "bytes",
            });
          const sum = await sumBlob(blob, { signal, onBytes });
          if (sum !== info.files[index]!.sha256) throw corrupt({ id, damage: changed(info, path) });
          done += blob.size;
        }
      } finally {
        opened.release();
      }
    };
    return this.#attempt(`check the stored model "${id}"`, task, signal);
  }

  remove(id: string): Promise<void> {
    return this.#attempt(`remove the stored model "${id}"`, async () => {
      const store = await this.#open();
      const release = await tryHold(this.#locks!, modelLock(id), "exclusive");
      if (release === undefined) throw busy("remove", id);
      try {
        const found = (await store.list()).filter((stored) => stored.id === id);
        if (found.length === 0) throw unknown(id);
        for (const { folder } of found) await store.remove(folder);
      } finally {
        release();
      }
    });
  }

  #folderOf(
    source: Exclude<ModelSource, { kind: "stored" }>,
    signal: AbortSignal | undefined,
  ): Promise<SourceFolder> {
    if (source.kind === "files") return blobFolder(source.files);
    const { fetch, retryMs, idleMs } = this.#options;
    return urlFolder(source.url, { fetch, retryMs, idleMs, signal });
  }

  async #find(store: StoreFolder, id: string): Promise<StoredFolder> {
    const found = (await store.list()).filter((stored) => stored.id === id);
    const stored = found.find(({ damage }) => damage === undefined) ?? found[0];
    if (stored === undefined) throw unknown(id);
    return stored;
  }

  async #whole(store: StoreFolder, id: string): Promise<{ readonly info: StoredModelInfo }> {
    const stored = await this.#find(store, id);
    if (stored.info === undefined || stored.damage !== undefined) throw corrupt(stored);
    return { info: stored.info };
  }

  #open(): Promise<StoreFolder> {
    this.#opened ??= this.#openOnce().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #openOnce(): Promise<StoreFolder> {
    const storage = this.#storage as StorageManager | undefined;
    const locks = this.#locks;
    const { root } = this.#options;
    if (locks === undefined || (root === undefined && storage?.getDirectory === undefined)) {
      throw new EngineError({
        kind: "unsupported",
        message:
          "Cannot keep models: the browser must give this page files of its own (OPFS) and locks, got neither or one",
        remedy:
          "Open the page over https, in a current browser; models can be used without saving.",
      });
    }
    return StoreFolder.open(root ?? (await storage!.getDirectory()), locks);
  }

  async #attempt<T>(what: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await task();
    } catch (error) {
      throw storeError(what, { error, signal });
    }
  }
}

function filesOf(info: StoredModelInfo, blobs: readonly File[], release: () => void): StoredFiles {
  const files = info.files.map(({ path }, index) => ({ path, blob: blobs[index]! }));
  return {
    name: info.name,
    info,
    files,
    release,
    async open(name) {
      const file = files.find(({ path }) => path === name);
      if (file === undefined) return undefined;
      const { path, blob } = file;
      const slice = (begin: number, end: number) => blob.slice(begin, end);
      return fileSource({ name: path, size: blob.size, slice });
    },
  };
}

function changed({ name }: StoredModelInfo, path: string): string {
  return `Cannot read "${name}": the SHA-256 of its "${path}" must be the one it was saved with, got another`;
}

function corrupt({ id, damage = id }: Pick<StoredFolder, "id" | "damage">): EngineError {
  return new EngineError({
    kind: "corrupt",
    message: damage,
    remedy: "Remove the model and save it again.",
  });
}

function unknown(id: string): EngineError {
  return new EngineError({
    kind: "bad-input",
    message: `Cannot open the stored model "${id}": it must be one that is stored, got none of that id`,
    remedy: "It was removed, or the browser has cleared its storage: save the model again.",
  });
}

function busy(verb: string, id: string): EngineError {
  return new EngineError({
    kind: "busy",
    message: `Cannot ${verb} the stored model "${id}": nobody else must be using it, got another tab or a loaded model`,
    remedy: "Unload it, close the other tabs of this page, and try again.",
  });
}
