import type { StoredModelInfo } from "../engine/api.ts";
import { FileWriter } from "./file_writer.ts";
import { decodeRecord, encodeRecord, RECORD_FILE, storedName } from "./model_record.ts";
import { folderLock, type StoreLocks, tryHold } from "./store_locks.ts";

/** Folder of the origin's files that holds a folder a model. */
const STORE_FOLDER = "tenure-models";

/** Longest record that is read. */
const MAX_RECORD_BYTES = 2 ** 20;

/** A folder of the store with a record in it. */
export interface StoredFolder {
  readonly folder: string;
  /** The model's, or the folder's name where the record cannot be read. */
  readonly id: string;
  /** Undefined if the record cannot be read. */
  readonly info?: StoredModelInfo;
  /** What is damaged, in a sentence. */
  readonly damage?: string;
}

/**
 * The folders of the store: files first, and last the record that makes them a model. So whatever
 * is ended in the middle leaves a folder without a record, which the next opening removes.
 */
export class StoreFolder {
  readonly #root: FileSystemDirectoryHandle;

  private constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  /** Opens the store, and sweeps what was left unfinished by others that are gone. */
  static async open(origin: FileSystemDirectoryHandle, locks: StoreLocks): Promise<StoreFolder> {
    const store = new StoreFolder(await origin.getDirectoryHandle(STORE_FOLDER, { create: true }));
    await store.#sweep(locks);
    return store;
  }

  /** Models, the damaged ones too; of two of one model, the whole one goes first. */
  async list(): Promise<StoredFolder[]> {
    const found: StoredFolder[] = [];
    for (const folder of await this.#names()) {
      const stored = await this.#read(folder);
      if (stored !== undefined) found.push(stored);
    }
    return found.toSorted((a, b) => ((a.info?.savedAt ?? "") < (b.info?.savedAt ?? "") ? -1 : 1));
  }

  /** The files of a folder, in the order of its record. */
  async files({ folder, info }: StoredFolder): Promise<File[]> {
    const handle = await this.#root.getDirectoryHandle(folder);
    return Promise.all(
      (info?.files ?? []).map(async (_file, index) =>
        (await handle.getFileHandle(storedName(index))).getFile(),
      ),
    );
  }

  /** A new folder, yet without a record. Its lock must be held. */
  create(folder: string): Promise<FileSystemDirectoryHandle> {
    return this.#root.getDirectoryHandle(folder, { create: true });
  }

  /** Makes the files of a folder a model. */
  async commit(folder: string, info: StoredModelInfo): Promise<void> {
    const handle = await this.#root.getDirectoryHandle(folder);
    const writer = await FileWriter.open(await handle.getFileHandle(RECORD_FILE, { create: true }));
    try {
      await writer.append(encodeRecord(info));
      await writer.close();
    } catch (error) {
      await writer.abort().catch(() => {});
      throw error;
    }
  }

  /** Removes a folder, its record first, so that no half of it ever counts as a model. */
  async remove(folder: string): Promise<void> {
    const handle = await this.#root.getDirectoryHandle(folder);
    await handle.removeEntry(RECORD_FILE).catch(ignoreMissing);
    await this.#root.removeEntry(folder, { recursive: true });
  }

  async #sweep(locks: StoreLocks): Promise<void> {
    for (const folder of await this.#names()) {
      if (await this.#hasRecord(folder)) continue;
      const release = await tryHold(locks, folderLock(folder), "exclusive");
      if (release === undefined) continue;
      try {
        // It may have been finished before its lock was free.
        if (!(await this.#hasRecord(folder))) await this.remove(folder).catch(ignoreMissing);
      } finally {
        release();
      }
    }
  }

  async #names(): Promise<string[]> {
    const names: string[] = [];
    for await (const [name, handle] of this.#root.entries()) {
      if (handle.kind === "directory") names.push(name);
    }
    return names.toSorted();
  }

  async #hasRecord(folder: string): Promise<boolean> {
    return (await this.#record(folder)) !== undefined;
  }

  /** The record's file, unless it is not there, or empty: made, but not yet written. */
  async #record(folder: string): Promise<File | undefined> {
    try {
      const handle = await this.#root.getDirectoryHandle(folder);
      const file = await (await handle.getFileHandle(RECORD_FILE)).getFile();
      return file.size === 0 ? undefined : file;
    } catch (error) {
      ignoreMissing(error);
      return undefined;
    }
  }

  async #read(folder: string): Promise<StoredFolder | undefined> {
    const file = await this.#record(folder);
    if (file === undefined) return undefined;
    let info: StoredModelInfo;
    try {
      if (file.size > MAX_RECORD_BYTES) throw new SyntaxError(`${RECORD_FILE} is too long`);
      info = decodeRecord(new Uint8Array(await file.arrayBuffer()));
    } catch (error) {
      const damage = error instanceof Error ? error.message : String(error);
      return { folder, id: folder, damage };
    }
    const damage = await this.#damageOf({ folder, id: info.id, info });
    return { folder, id: info.id, info, ...(damage !== undefined && { damage }) };
  }

  /** What is wrong with the lengths of a model's files. */
  async #damageOf(stored: StoredFolder): Promise<string | undefined> {
    const { name, files } = stored.info!;
    let found: File[];
    try {
      found = await this.files(stored);
    } catch (error) {
      ignoreMissing(error);
      return `Cannot read "${name}": all its ${files.length} files must be there, got fewer`;
    }
    const wrong = files.findIndex(({ bytes }, index) => found[index]!.size !== bytes);
    if (wrong === -1) return undefined;
    const { path, bytes } = files[wrong]!;
    return `Cannot read "${name}": its "${path}" must have ${bytes} bytes, got ${found[wrong]!.size}`;
  }
}

/** Lets pass that something is not there. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && error.name === "NotFoundError")) throw error;
}
