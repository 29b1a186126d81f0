import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CliError, EXIT } from "./errors.ts";
import { type Content, fileError, isSystemError, syncFolder, writeAtomically } from "./files.ts";

/** A file to write, its content made as it is asked for. */
export interface NewFile {
  /** May lie in folders of its own: `"tables/people.csv"`; files on top are best written last. */
  readonly name: string;
  readonly chunks: Exclude<Content, string | Uint8Array>;
}

/** What {@linkcode writeFolder} may replace. */
export interface ReplaceOptions {
  /** Whether to replace a folder that is there. */
  readonly overwrite: boolean;
  /** Whether a file may be gone after that; a folder with any other stays. */
  readonly isReplaceable: (name: string) => boolean;
}

/**
 * Checks that a folder may be written: it is new or empty, or holds nothing but what may be
 * replaced, and that was asked for.
 *
 * @throws {CliError} With exit code 2 if not.
 */
export async function checkNewFolder(
  path: string,
  { overwrite, isReplaceable }: ReplaceOptions,
): Promise<void> {
  const names = await namesIn(path);
  if (names === undefined || names.length === 0) return;
  const fail = (rule: string, got: string): never => {
    throw new CliError(EXIT.usage, `Cannot write "${path}": ${rule}, got ${got}`);
  };
  const stranger = names.find((name) => !isReplaceable(name));
  if (stranger !== undefined) {
    fail("the folder must be new or empty, or hold an earlier export alone", `"${stranger}" in it`);
  }
  if (overwrite) return;
  fail(
    "the folder must be new or empty",
    `${names.length} files in it; replace them with --overwrite`,
  );
}

/**
 * Writes a folder so that its name stands for all of the new files or for what was there before,
 * even if the power fails: files in a temporary folder beside it, each flushed to disk, then one
 * rename, or two where a folder is replaced, which between them is whole under a hidden name.
 *
 * @param files Drained one after the other, each once.
 * @throws {CliError} With exit code 2 if it must not be replaced; with exit code 1 if the disk is
 *   full, read-only or fails. What was there stays, hidden beside the new one at worst.
 */
export async function writeFolder(
  path: string,
  files: Iterable<NewFile>,
  options: ReplaceOptions,
): Promise<void> {
  await checkNewFolder(path, options);
  const target = resolve(path);
  const parent = dirname(target);
  const hidden = join(parent, `.${basename(target)}.${randomUUID()}`);
  const unfinished = `${hidden}.tmp`;
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(unfinished);
    for (const { name, chunks } of files) {
      const file = join(unfinished, name);
      await mkdir(dirname(file), { recursive: true });
      await writeAtomically(file, chunks);
    }
    await checkNewFolder(path, options); // others may have been at it meanwhile
    await replaceFolder(unfinished, target, `${hidden}.old`);
  } catch (error) {
    // The first error is the one to tell.
    await rm(unfinished, { recursive: true, force: true }).catch(() => {});
    throw isSystemError(error)
      ? fileError("write", path, { error, exitCode: EXIT.failure })
      : error;
  }
}

async function replaceFolder(finished: string, target: string, old: string): Promise<void> {
  const isNew = (await namesIn(target)) === undefined;
  if (!isNew) await rename(target, old);
  try {
    await rename(finished, target);
  } catch (error) {
    if (!isNew) await rename(old, target).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(target));
  if (!isNew) await rm(old, { recursive: true, force: true }).catch(() => {});
}

/** Names of the files in a folder; undefined if there is none. */
async function namesIn(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError("write", path, { error, exitCode: EXIT.usage });
  }
}
