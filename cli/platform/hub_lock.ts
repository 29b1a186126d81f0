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
 * @throws {CliError} With exit code 75 if another process holds it.
 */
export async function locked<T>(folder: string, work: () => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, LOCK_FILE);
  while (!(await tryLock(path))) await clearStale(path);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const handle = await open(path, "wx");
    await handle.writeFile(`${process.pid} ${hostname()}`).finally(() => handle.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes a lock whose process is gone; says who holds one that is alive. */
async function clearStale(path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return; // released meanwhile
  const [, pid, host] = /^(\d+) (.+)$/.exec(text) ?? [];
  if (pid !== undefined && host === hostname() && !isAlive(Number(pid))) {
    await rm(path, { force: true });
    return;
  }
  throw new CliError(
    EXIT.retry,
    `Cannot download: only one process may at a time, got one at work (${pid === undefined ? "unknown" : `process ${pid} on ${host}`}); wait for it, or, if there is none, delete "${path}"`,
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
