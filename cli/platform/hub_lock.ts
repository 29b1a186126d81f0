import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { CliError, EXIT } from "./errors.ts";

/** Name of the lock; other programs keep their own in the same folder. */
const LOCK_FILE = "tenure.lock";

/**
 * Runs work that no other process of ours does at the same time: two that append to one file
 * would spoil it. A lock whose process is gone is taken over.
 *
 * @param folder Where the lock lies; made if need be.
 * @param work What to do meanwhile.
 * @param verb What cannot be done while another process does it, for the error.
 * @throws {CliError} With exit code 75 if another process holds it.
 */
export async function locked<T>(
  folder: string,
  work: () => Promise<T>,
  verb = "download",
): Promise<T> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, LOCK_FILE);
  const own = `${process.pid} ${hostname()} ${randomUUID()}`;
  while (!(await tryLock(path, own))) await clearStale(path, verb);
  try {
    return await work();
  } finally {
    // Somebody may have deleted it meanwhile, and another process taken its place.
    if ((await textOf(path)) === own) await rm(path, { force: true });
  }
}

/** What a lock says; undefined if there is none. */
async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

async function tryLock(path: string, text: string): Promise<boolean> {
  try {
    const handle = await open(path, "wx");
    await handle.writeFile(text).finally(() => handle.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes a lock whose process is gone; says who holds one that is alive. */
async function clearStale(path: string, verb: string): Promise<void> {
  const text = await textOf(path);
  if (text === undefined) return; // released meanwhile
  const [, pid, host] = /^(\d+) (\S+)(?: \S+)?$/.exec(text) ?? [];
  if (pid === undefined || host !== hostname() || isAlive(Number(pid))) {
    throw held(path, verb, pid === undefined ? "unknown" : `process ${pid} on ${host}`);
  }
  // One process at a time removes stale locks, so that none removes the one of its successor.
  const removal = `${path}.removal`;
  if (!(await tryLock(removal, text))) throw held(removal, verb, "about to begin");
  try {
    if ((await textOf(path)) === text) await rm(path, { force: true });
  } finally {
    await rm(removal, { force: true });
  }
}

function held(path: string, verb: string, who: string): CliError {
  return new CliError(
    EXIT.retry,
    `Cannot ${verb}: only one process may at a time, got one at work (${who}); wait for it, or, if there is none, delete "${path}"`,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // somebody else's
  }
}
