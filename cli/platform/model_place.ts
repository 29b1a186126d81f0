import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { CachedRepo, isRepoName } from "./hub_cache.ts";
import { hubCacheFolder } from "./hub_settings.ts";

/** Where a model lies on disk, links followed. */
export interface ModelPlace {
  /** The folder, or the file, that was named. */
  readonly path: string;
  readonly isFolder: boolean;
  /** Files that are read, wherever links lead. */
  readonly files: readonly string[];
}

/**
 * Finds where a model lies on disk, to keep what is written away from it.
 *
 * @param pathOrName As `openModelPath` takes it.
 * @param revision Branch, tag or commit of a model in the cache.
 * @returns Undefined if it is not on this machine.
 */
export async function findModelPlace(
  pathOrName: string,
  revision = "main",
): Promise<ModelPlace | undefined> {
  const found = await stat(pathOrName).catch(() => undefined);
  if (found === undefined) {
    if (!isRepoName(pathOrName)) return undefined;
    const snapshot = await new CachedRepo(hubCacheFolder(), pathOrName).findSnapshot(revision);
    return snapshot === undefined ? undefined : findModelPlace(snapshot);
  }
  const path = await realpath(pathOrName);
  if (!found.isDirectory()) return { path, isFolder: false, files: [path] };
  const names = await readdir(path);
  const files = names.map((name) => realpath(join(path, name)).catch(() => join(path, name)));
  return { path, isFolder: true, files: await Promise.all(files) };
}

/**
 * Whether replacing a folder could take any of a model away.
 *
 * @param place Where the model lies.
 * @param folder Real path of the folder: {@linkcode realPathOf}.
 */
export function isPartlyIn({ path, files }: ModelPlace, folder: string): boolean {
  return [path, ...files].some((each) => isWithin(each, folder));
}

/** Whether a path is that of a folder, or lies in it; both are real paths. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && resolve(way) !== way);
}

/** A path with all links followed; what of it is not there yet stays as it is named. */
export async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  const found = await realpath(absolute).catch(() => undefined);
  const parent = dirname(absolute);
  if (found !== undefined || parent === absolute) return found ?? absolute;
  return join(await realPathOf(parent), basename(absolute));
}
