import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { FileSet } from "../../model/checkpoint/byte_source.ts";
import type { ExportedFile } from "../../model/checkpoint/exported_file.ts";
import {
  encodeEntries,
  MANIFEST_FILE,
  type ManifestEntry,
} from "../../model/checkpoint/manifest.ts";
import { openRun, type StoredRun } from "../../model/checkpoint/run_state.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { openFolder } from "../../model/pretrained/open_model.ts";
import { weightShapes } from "../../model/transformer/weight_shapes.ts";
import { ADAPTER_FILES, checkListed, MODEL_FILES, TRAINER_FILES } from "./checkpoint_sums.ts";
import { CliError, EXIT } from "./errors.ts";
import { folderFiles, withPath } from "./file_source.ts";
import { fileError, isSystemError, syncFolder, writeAtomically } from "./files.ts";

/** A folder that was being written, or deleted, when its process died. */
const UNFINISHED = /^\..+\.[0-9a-f-]{36}\.tmp$/;

/** A whole checkpoint that a new one of the same name was about to replace. */
const REPLACED = /^\.(.+)\.old$/;

/** Largest piece that is read at once; Node reads no more than 2 GiB. */
const PIECE_BYTES = 1 << 30;

/** Bytes that small pieces of a file are gathered to before they are written. */
const GATHERED_BYTES = 1 << 22;

/**
 * Writes a checkpoint so that its name stands for all of it or for nothing, even if the power
 * fails at any moment: files in a temporary folder beside it, each flushed to disk, and last a
 * manifest with their SHA-256 sums; then one rename, and a flush of the folder around it. A
 * checkpoint of the same name is kept until the new one is in its place.
 *
 * Only one process may write into a folder at a time: what others left unfinished is removed.
 *
 * @param folder Folder of the run; made if need be.
 * @param name Name of the checkpoint in it.
 * @param files What it consists of; they are drained one after the other, so that memory holds
 *   the largest piece, not the files.
 * @returns Path of the checkpoint.
 * @throws {CliError} If the disk is full, read-only or fails; what was there stays.
 * @throws {TypeError} If a name holds a path, or is the manifest's.
 * @throws {RangeError} If a file is not as long as it says.
 */
export async function saveCheckpoint(
  folder: string,
  name: string,
  files: readonly ExportedFile[],
): Promise<string> {
  const names = files.map((file) => file.name);
  if (
    names.includes(MANIFEST_FILE) ||
    ![name, ...names].every((part) => /^[\w-][\w.-]*$/.test(part))
  ) {
    throw new TypeError(
      `Cannot write a checkpoint: names of files must be plain and ${MANIFEST_FILE} none of them, ` +
        `got ${names.join(", ")} in "${name}"`,
    );
  }
  const path = join(folder, name);
  const unfinished = join(folder, `.${name}.${randomUUID()}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await tidy(folder);
    await mkdir(unfinished);
    const entries = new Map<string, ManifestEntry>();
    for (const file of files) entries.set(file.name, await writeFile(unfinished, file));
    await writeAtomically(join(unfinished, MANIFEST_FILE), encodeEntries(entries));
    await replaceFolder(unfinished, path);
  } catch (error) {
    // The first error is the one to tell; what cannot be removed now, the next save removes.
    await rm(unfinished, { recursive: true, force: true }).catch(() => {});
    throw isSystemError(error)
      ? fileError("write", path, { error, exitCode: EXIT.failure })
      : error;
  }
  return path;
}

/** Writes a file, and says what the manifest shall say of it. */
async function writeFile(
  folder: string,
  { name, size, chunks }: ExportedFile,
): Promise<ManifestEntry> {
  const sum = createHash("sha256");
  let bytes = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const piece of gathered(chunks)) {
      sum.update(piece);
      bytes += piece.length;
      yield piece;
    }
    if (bytes === size) return;
    throw new RangeError(`Cannot write "${name}": it must have ${size} bytes, got ${bytes}`);
  }
  await writeAtomically(join(folder, name), pieces());
  return { bytes, sha256: sum.digest("hex") };
}

/** Small pieces together, large ones as they are: few writes, and no copies of what is large. */
async function* gathered(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    if (length > 0 && length + chunk.length > GATHERED_BYTES) {
      yield Buffer.concat(waiting);
      [waiting, length] = [[], 0];
    }
    waiting.push(chunk);
    length += chunk.length;
    if (length < GATHERED_BYTES) continue;
    yield waiting.length === 1 ? chunk : Buffer.concat(waiting);
    [waiting, length] = [[], 0];
  }
  yield Buffer.concat(waiting); // an empty file has one piece, too
}

/** Options of {@linkcode openCheckpoint}. */
export interface OpenOptions {
  /** Whether what training needs is to be there, three times the bytes. @default {true} */
  readonly trainer?: boolean;
}

/** A checkpoint of a whole model, its tensors yet to be read. */
export interface StoredCheckpoint {
  readonly model: StoredModel;
  readonly trainer?: StoredRun;
}

/** A checkpoint whose files are those that its manifest lists, bit for bit. */
export interface CheckpointFolder {
  readonly files: FileSet;
  /** Names of the files in it. */
  readonly names: readonly string[];
  /** Whether it holds an adapter in place of a model. */
  readonly isAdapter: boolean;
}

/**
 * Opens a checkpoint of a model or of an adapter, and checks every file against the manifest, if
 * there is one, piece by piece.
 *
 * @throws {CliError} With the code of checkpoints: if it is missing or damaged, naming the file.
 */
export async function openCheckpoint(
  path: string,
  { trainer = true }: OpenOptions = {},
): Promise<CheckpointFolder> {
  const { folder, names } = await listCheckpoint(path);
  const isAdapter = names.includes(ADAPTER_FILES[0]!);
  const own = isAdapter ? ADAPTER_FILES : MODEL_FILES;
  const wanted = trainer ? [...own, ...TRAINER_FILES] : own;
  await checkListed(
    folder,
    names.filter((name) => wanted.includes(name)),
  );
  if (!isAdapter) checkFormat(path, names);
  return { files: { ...folderFiles(folder), name: path }, names, isAdapter };
}

/**
 * Opens a checkpoint of a whole model, or a model that another program wrote; tensors are read
 * when they are asked for.
 *
 * @param path Its folder.
 * @throws {CliError} With the code of checkpoints: if it is missing, damaged, or does not fit
 * together, naming the file.
 */
export async function loadCheckpoint(
  path: string,
  options: OpenOptions = {},
): Promise<StoredCheckpoint> {
  const { files, names } = await openCheckpoint(path, options);
  const { trainer = true } = options;
  return withPath(path, async () => {
    const model = await openFolder(files);
    if (!trainer || !TRAINER_FILES.some((name) => names.includes(name))) return { model };
    return { model, trainer: await openRun(files, weightShapes(model.config)) };
  });
}

/**
 * Removes a checkpoint. It is gone at once: a part of it never stands under its name.
 *
 * @throws {CliError} If the system does not allow it.
 */
export async function removeCheckpoint(path: string): Promise<void> {
  const doomed = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await rename(path, doomed);
    await rm(doomed, { recursive: true, force: true });
  } catch (error) {
    throw fileError("write", path, { error, exitCode: EXIT.failure });
  }
}

/** Where the checkpoint called `path` lies while a new one is about to replace it. */
function replacedPath(path: string): string {
  return join(dirname(resolve(path)), `.${basename(resolve(path))}.old`);
}

/** Reads a whole file of any length. */
export async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const handle = await open(path);
    try {
      const bytes = new Uint8Array((await handle.stat()).size);
      let length = 0;
      while (length < bytes.length) {
        const piece = Math.min(PIECE_BYTES, bytes.length - length);
        const { bytesRead } = await handle.read(bytes, length, piece, length);
        if (bytesRead === 0) break; // shortened meanwhile
        length += bytesRead;
      }
      return bytes.subarray(0, length);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError("read", path, { error, exitCode: EXIT.checkpoint });
  }
}

/** Puts a finished folder in the place of another, of which there is a whole one at any time. */
async function replaceFolder(finished: string, path: string): Promise<void> {
  const folder = dirname(path);
  const replaced = replacedPath(path);
  const isNew = !(await readdir(folder)).includes(basename(path));
  if (!isNew) await rename(path, replaced);
  try {
    await rename(finished, path);
  } catch (error) {
    if (!isNew) await rename(replaced, path).catch(() => {}); // else the next save does it
    throw error;
  }
  await syncFolder(folder);
  // The new one is in its place; what is not removed now, the next save removes.
  if (!isNew) await rm(replaced, { recursive: true, force: true }).catch(() => {});
}

/** Removes what was left unfinished, and gives back its name to what was not replaced after all. */
async function tidy(folder: string): Promise<void> {
  const names = await readdir(folder);
  for (const name of names) {
    const path = join(folder, name);
    const original = REPLACED.exec(name)?.[1];
    if (original !== undefined && !names.includes(original)) {
      await rename(path, join(folder, original));
      await syncFolder(folder);
    } else if (original !== undefined || UNFINISHED.test(name)) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** Files of a checkpoint, and the folder where they lie. */
async function listCheckpoint(path: string): Promise<{ folder: string; names: string[] }> {
  const list = async (folder: string) => ({ folder, names: await readdir(folder) });
  try {
    return await list(path);
  } catch (error) {
    const replaced = await list(replacedPath(path)).catch(() => undefined);
    if (replaced !== undefined) return replaced;
    const got =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? "no such folder" : "no folder to list";
    throw new CliError(
      EXIT.checkpoint,
      `Cannot read "${path}": a checkpoint must be a folder that exists, got ${got}`,
      { cause: error },
    );
  }
}

/** Refuses weights in formats that are not read, some of which would run code. */
function checkFormat(path: string, names: readonly string[]): void {
  if (names.includes("model.safetensors")) return;
  const other = names.find((name) => /\.(bin|pt|pth|pkl|ckpt|gguf|index\.json)$/.test(name));
  const run = names.find((name) => /^checkpoint-\d+$/.test(name));
  const got =
    other ??
    (run === undefined
      ? undefined
      : `the folder of a run; name a checkpoint, as in "${join(path, run)}"`);
  if (got === undefined) return;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot read "${path}": weights must be in model.safetensors, got ${got}`,
  );
}
