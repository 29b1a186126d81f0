import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TuningStore } from "../../engine/tuning/store.ts";
import { CliError, EXIT } from "./errors.ts";
import { fileError, writeAtomically } from "./files.ts";

/** A lock that is older belongs to a process that died: writing takes milliseconds. */
const STALE_MS = 10_000;

/** Longest wait for a lock, and the pause between two attempts. */
const WAIT_MS = 20_000;
const PAUSE_MS = 10;

/** The folder of choices: where this system keeps what can be made again. */
export function tuningFolder(env: NodeJS.ProcessEnv = process.env): string {
  const home = env["HOME"] || homedir();
  const caches =
    env["XDG_CACHE_HOME"] ||
    (process.platform === "darwin"
      ? join(home, "Library", "Caches")
      : (process.platform === "win32" && env["LOCALAPPDATA"]) || join(home, ".cache"));
  return join(caches, "tenure", "tuning");
}

/** Choices in a folder, a file a device, which several processes may write. */
export class FolderTuningStore implements TuningStore {
  readonly folder: string;

  constructor(folder = tuningFolder()) {
    this.folder = folder;
  }

  /** The file of a device. */
  pathOf(key: string): string {
    return join(this.folder, `${key}.json`);
  }

  /** Files of all devices. */
  async list(): Promise<string[]> {
    const names = await readdir(this.folder).catch(() => []);
    return names.filter((name) => name.endsWith(".json")).map((name) => join(this.folder, name));
  }

  read(key: string): Promise<string | undefined> {
    return readText(this.pathOf(key));
  }

  async write(key: string, text: string): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await writeAtomically(this.pathOf(key), text);
  }

  exclusively = <T>(key: string, work: () => Promise<T>): Promise<T> =>
    locked(`${this.pathOf(key)}.lock`, work);
}

/** Choices in one file, whatever the device. */
export class FileTuningStore implements TuningStore {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The file, whatever the device. */
  pathOf(): string {
    return this.path;
  }

  read(): Promise<string | undefined> {
    return readText(this.path);
  }

  async write(_key: string, text: string): Promise<void> {
    await writeAtomically(this.path, text);
  }

  exclusively = <T>(_key: string, work: () => Promise<T>): Promise<T> =>
    locked(`${this.path}.lock`, work);
}

/** @returns Undefined if there is no such file. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError("read", path, { error, exitCode: EXIT.data });
  }
}

/** Waits until a lock is free, and holds it for the time of the work. */
async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw fileError("write", path, { error, exitCode: EXIT.failure });
  });
  const begin = Date.now();
  while (!(await tryLock(path))) {
    if (Date.now() - begin > WAIT_MS) {
      throw new CliError(
        EXIT.retry,
        `Cannot keep what was measured: "${path}" must be released, got it held by another process; if there is none, delete it`,
      );
    }
    await clearStale(path);
    await sleep(PAUSE_MS);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw fileError("write", path, { error, exitCode: EXIT.failure });
  }
}

/** Removes a lock that nobody holds any more; of several processes, only one moves it away. */
async function clearStale(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || Date.now() - info.mtimeMs < STALE_MS) return;
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => {});
  await rm(aside, { force: true });
}
