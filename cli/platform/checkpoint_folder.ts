import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import {
  type Checkpoint,
  type CheckpointFiles,
  decodeCheckpoint,
  MODEL_FILES,
  TRAINER_FILES,
} from "../../model/checkpoint/checkpoint.ts";
import { MANIFEST_FILE } from "../../model/checkpoint/manifest.ts";
import { CliError, EXIT } from "./errors.ts";
import { fileError, isSystemError, syncFolder, writeAtomically } from "./files.ts";

/** A folder that was being written, or deleted, when its process died. */
const UNFINISHED = /^\..+\.[0-9a-f-]{36}\.tmp$/;

/** A whole checkpoint that a new one of the same name was about to replace. */
const REPLACED = /^\.(.+)\.old$/;

/** Largest piece that is read at once; Node reads no more than 2 GiB. */
const PIECE_BYTES = 1 << 30;

/**
 * Writes a checkpoint so that its name stands for all of it or for nothing, even if the power
 * fails at any moment: files in a temporary folder beside it, each flushed to disk, the manifest
 * last; then one rename, and a flush of the folder around it. A checkpoint of the same name is
 * kept until the new one is in its place.
 *
 * Only one process may write into a folder at a time: what others left unfinished is removed.
 *
 * @param folder Folder of the run; made if need be.
 * @param name Name of the checkpoint in it.
 * @param files What `encodeCheckpoint()` gave, `MANIFEST.json` last.
 * @returns Path of the checkpoint.
 * @throws {CliError} If the disk is full, read-only or fails; what was there stays.
 * @throws {TypeError} If the manifest is not the last file, or a name holds a path.
 */
export async function saveCheckpoint(
  folder: string,
  name: string,
  files: CheckpointFiles,
): Promise<string> {
  const names = [...files.keys()];
  if (
    names.at(-1) !== MANIFEST_FILE ||
    ![name, ...names].every((part) => /^[\w-][\w.-]*$/.test(part))
  ) {
    throw new TypeError(
      `Cannot write a checkpoint: ${MANIFEST_FILE} must be its last file and names must be plain, ` +
        `got ${names.join(", ")} in "${name}"`,
    );
  }
  const path = join(folder, name);
  const unfinished = join(folder, `.${name}.${randomUUID()}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await tidy(folder);
    await mkdir(unfinished);
    for (const [file, content] of files) await writeAtomically(join(unfinished, file), content);
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

/**
 * Reads a checkpoint, or a model that another program wrote, and checks all of it.
 *
 * @param path Its folder.
 * @param options.trainer Whether to read what training needs, three times the bytes. @default {true}
 * @throws {CliError} With the code of checkpoints: if it is missing, damaged, or does not fit
 * together, naming the file.
 */
export async function loadCheckpoint(
  path: string,
  { trainer = true }: { readonly trainer?: boolean } = {},
): Promise<Checkpoint> {
  const { folder, names } = await listCheckpoint(path);
  const wanted = trainer ? [...MODEL_FILES, ...TRAINER_FILES] : MODEL_FILES;
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const name of wanted) {
    if (names.includes(name)) files.set(name, await readWhole(join(folder, name)));
  }
  checkFormat(path, names);
  try {
    return await decodeCheckpoint(files);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // The core knows names of files, not where they lie.
    const message = error.message.replace(
      /^Cannot read "([^"]*)"/,
      (_, name: string) => `Cannot read "${join(path, name)}"`,
    );
    throw new CliError(EXIT.checkpoint, message, { cause: error });
  }
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
