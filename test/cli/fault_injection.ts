import fs, { type FileHandle } from "node:fs/promises";
import { readdirSync, statSync, truncateSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

/** What one run under {@linkcode withFaults} did. */
export interface FaultReport {
  /** Writes, flushes, renames and the like, in order, as `rename a → b`. */
  readonly operations: readonly string[];
  /** Inodes of files that were written but not flushed to disk. */
  readonly unflushed: ReadonlySet<number>;
  readonly error?: unknown;
}

/** When and how the disk fails. */
export interface Fault {
  /** Operation that fails, counted from 0. */
  readonly at: number;
  /** How much of a write gets through before, from 0 to 1. @default {0} */
  readonly share?: number;
  /**
   * `"death"`: nothing more reaches the disk, cleaning up included, as if the process were killed.
   * An error code: this one operation is refused, and the process lives on.
   */
  readonly kind: "death" | "ENOSPC" | "EIO" | "EROFS";
}

/**
 * Runs work whose writes to the disk fail at one point. Reads go through.
 *
 * Only for one piece of work at a time: it replaces functions of `node:fs/promises`.
 */
export async function withFaults(
  work: () => Promise<unknown>,
  fault?: Fault,
): Promise<FaultReport> {
  const operations: string[] = [];
  const unflushed = new Set<number>();
  const real = { open: fs.open, rename: fs.rename, rm: fs.rm, mkdir: fs.mkdir };
  const step = async <T>(name: string, act: () => Promise<T>, partly?: () => Promise<unknown>) => {
    const index = operations.length;
    operations.push(name);
    const isDead = fault?.kind === "death" && index > fault.at;
    if (!isDead && index !== fault?.at) return act();
    if (!isDead) await partly?.();
    const code = fault.kind;
    throw Object.assign(new Error(`${code}: injected, ${name}`), { code, syscall: "injected" });
  };
  const wrap = (handle: FileHandle, path: string): FileHandle => {
    const writeFile = handle.writeFile.bind(handle);
    const sync = handle.sync.bind(handle);
    handle.writeFile = async (data) => {
      unflushed.add((await handle.stat()).ino);
      await step(
        `write ${path}`,
        () => writeFile(data),
        async () => {
          const bytes = Buffer.from(data as Uint8Array);
          const length = Math.floor(bytes.length * (fault?.share ?? 0));
          await writeFile(bytes.subarray(0, length));
        },
      );
    };
    handle.sync = async () => {
      await step(`sync ${path}`, sync);
      unflushed.delete((await handle.stat()).ino);
    };
    return handle;
  };
  fs.open = async (path, flags, mode) => {
    const open = () => real.open(path, flags, mode);
    const isWrite = flags !== undefined && flags !== "r";
    return wrap(await (isWrite ? step(`create ${String(path)}`, open) : open()), String(path));
  };
  fs.rename = (from, to) =>
    step(`rename ${String(from)} → ${String(to)}`, () => real.rename(from, to));
  // Removing a folder is many operations: at the fault, some of its files are gone.
  fs.rm = (path, options) =>
    step(
      `remove ${String(path)}`,
      () => real.rm(path, options),
      async () => {
        const isFolder = statSync(String(path), { throwIfNoEntry: false })?.isDirectory() ?? false;
        const names = isFolder ? readdirSync(String(path)).toSorted() : [];
        const doomed = names.slice(0, Math.ceil(names.length * (fault?.share ?? 0)));
        for (const name of doomed) await real.rm(join(String(path), name));
      },
    );
  fs.mkdir = ((path: string, options?: { recursive: true }) =>
    step(`mkdir ${path}`, () => real.mkdir(path, options))) as typeof fs.mkdir;
  syncBuiltinESMExports();
  try {
    await work();
    return { operations, unflushed };
  } catch (error) {
    return { operations, unflushed, error };
  } finally {
    Object.assign(fs, real);
    syncBuiltinESMExports();
  }
}

/** Empties the files of a folder that were never flushed, as a power failure may. */
export function losePower(folder: string, { unflushed }: FaultReport): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    if (statSync(path).isFile() && unflushed.has(statSync(path).ino)) truncateSync(path, 0);
  }
}
