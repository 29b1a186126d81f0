import {
  decodeManifest,
  MANIFEST_FILE,
  type ManifestEntry,
} from "../../model/checkpoint/manifest.ts";
import { TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import type { SaveOptions, StoredModelInfo } from "../engine/api.ts";
import { EngineError } from "../engine/errors.ts";
import { checkLengths, copyFile, type Promised } from "./copy_file.ts";
import { tryLength } from "./file_writer.ts";
import { readWhole, type SourceFolder } from "./model_folder.ts";
import { modelId, storedName } from "./model_record.ts";
import { checkRoom, noRoomLeft, type StoreStorage } from "./quota.ts";
import { FOLDER_FILES, type Selection, selectFiles } from "./select_files.ts";
import { isQuotaError } from "./store_errors.ts";
import type { StoreFolder } from "./store_folder.ts";
import { folderLock, modelLock, type StoreLocks, tryHold } from "./store_locks.ts";

/** What saving works on. */
export interface SavePlace {
  readonly store: StoreFolder;
  readonly locks: StoreLocks;
  readonly storage: StoreStorage | undefined;
}

/**
 * Copies a model into the store, whole or not at all.
 *
 * @throws {EngineError} `"quota"` if there is no room, `"corrupt"` if a file is not as promised,
 *   `"unsupported"` if there is no model among the files, `"busy"` if another tab is at it.
 */
export async function saveModel(
  place: SavePlace,
  folder: SourceFolder,
  options: SaveOptions,
): Promise<StoredModelInfo> {
  const { store, locks, storage } = place;
  const selection = await selectFiles(folder, options.signal);
  const name = options.name ?? selection.name;
  checkSums(folder, selection, options);
  const promises = await promisesOf(selection, options);
  const whole = (await store.list()).filter(({ damage }) => damage === undefined);
  const models = whole.flatMap(({ info }) => info ?? []);
  const room = { name, bytes: totalBytes(selection), models };
  await checkRoom(storage, room);
  const target = crypto.randomUUID();
  const release = await tryHold(locks, folderLock(target), "exclusive");
  try {
    const created = await store.create(target);
    if (room.bytes !== undefined) await tryRoom(created, room.bytes);
    const files = await copyAll(created, selection, { promises, ...options });
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const savedAt = new Date().toISOString();
    return await commit(place, target, { id: modelId(files), name, bytes, savedAt, files });
  } catch (error) {
    const cause = isQuotaError(error)
      ? await noRoomLeft(storage, { ...room, cause: error })
      : error;
    // What cannot be removed now, the next opening sweeps.
    await store.remove(target).catch(() => {});
    throw cause;
  } finally {
    release?.();
  }
}

/** Finds out whether there is room before anything is downloaded: estimates may be anything. */
async function tryRoom(folder: FileSystemDirectoryHandle, bytes: number): Promise<void> {
  const name = "room";
  await tryLength(await folder.getFileHandle(name, { create: true }), bytes);
  await folder.removeEntry(name);
}

/** Puts a copy in place, or drops it where the same model is there already. */
async function commit(
  { store, locks }: SavePlace,
  target: string,
  info: StoredModelInfo,
): Promise<StoredModelInfo> {
  const release = await tryHold(locks, modelLock(info.id), "exclusive");
  try {
    const same = (await store.list()).filter(({ id }) => id === info.id);
    const kept = same.find(({ damage }) => damage === undefined)?.info;
    if (kept !== undefined) {
      await store.remove(target);
      return kept;
    }
    if (release === undefined) throw busySaving(info.name);
    await store.commit(target, info);
    for (const { folder } of same) await store.remove(folder);
    return info;
  } finally {
    release?.();
  }
}

async function copyAll(
  folder: FileSystemDirectoryHandle,
  selection: Selection,
  {
    promises,
    signal,
    onProgress,
  }: SaveOptions & { readonly promises: (path: string) => readonly Promised[] },
): Promise<StoredModelInfo["files"]> {
  const total = totalBytes(selection);
  const files: StoredModelInfo["files"][number][] = [];
  let done = 0;
  let reported = -Infinity;
  for (const [index, source] of selection.files.entries()) {
    const report = (bytes: number, isLast = false) => {
      if (!isLast && Math.abs(done + bytes - reported) < REPORTED_BYTES) return;
      reported = done + bytes;
      const known = total === undefined ? {} : { total };
      onProgress?.({
        phase: "download",
        what: source.path,
        done: reported,
        ...known,
        unit: "bytes",
      });
    };
    report(0, true);
    const handle = await folder.getFileHandle(storedName(index), { create: true });
    const copied = await copyFile(source, handle, {
      promises: promises(source.path),
      signal,
      onBytes: report,
    });
    files.push(copied);
    report(copied.bytes, true);
    done += copied.bytes;
  }
  return files;
}

/** Bytes between two reports: each crosses from the worker to the page. */
const REPORTED_BYTES = 2 ** 20;

/** Checks that each file that the caller has a sum for is there, whether or not it is copied. */
function checkSums(
  { paths }: SourceFolder,
  { files }: Selection,
  { sha256 = {} }: SaveOptions,
): void {
  const known = new Set([...paths, ...files.map(({ path }) => path)]);
  const unknown = Object.keys(sha256).find((path) => !known.has(path));
  if (unknown !== undefined) throw notThere(unknown, "there is a SHA-256 for it");
}

/** What the caller, the source and the model's own manifest say that files must be. */
async function promisesOf(
  { files, root }: Selection,
  { sha256 = {}, signal }: SaveOptions,
): Promise<(path: string) => readonly Promised[]> {
  const file = files.find(({ path }) => path === MANIFEST_FILE);
  const manifest =
    file === undefined
      ? new Map<string, ManifestEntry>()
      : decodeManifest(await readWhole(file, signal));
  const paths = new Set(files.map(({ path }) => path));
  const missing = [...manifest.keys()].find((path) => isNeeded(path) && !paths.has(path));
  if (missing !== undefined) throw notThere(missing, `${MANIFEST_FILE} lists it`);
  const byPath = new Map(
    files.map((each): [string, Promised[]] => [
      each.path,
      [
        {
          by: "the caller",
          sha256: (sha256[root + each.path] ?? sha256[each.path])?.toLowerCase(),
        },
        { by: MANIFEST_FILE, ...manifest.get(each.path) },
        { by: "its source", bytes: each.bytes, sha256: each.sha256 },
      ],
    ]),
  );
  for (const [path, promises] of byPath) checkLengths(path, promises);
  return (path) => byPath.get(path) ?? [];
}

/** Whether a model cannot do without a file of its manifest; how it was trained is another matter. */
function isNeeded(path: string): boolean {
  return path !== TRAINER_FILE && FOLDER_FILES.includes(path);
}

/** Bytes of all files, if all are known. */
function totalBytes({ files }: Selection): number | undefined {
  let total = 0;
  for (const { bytes, probableBytes } of files) {
    const length = bytes ?? probableBytes;
    if (length === undefined) return undefined;
    total += length;
  }
  return total;
}

function notThere(path: string, why: string): EngineError {
  return new EngineError({
    kind: "corrupt",
    message: `Cannot save "${path}": it must be among the model's files, since ${why}, got no such file`,
    remedy: "Get the model's files again, all of them.",
  });
}

/** Another tab does the same. */
export function busySaving(name: string): EngineError {
  return new EngineError({
    kind: "busy",
    message: `Cannot save "${name}": no other tab must be saving or removing it, got one that is`,
    remedy: "Wait until it is done there, or close the other tab.",
  });
}
