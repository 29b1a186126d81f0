import { randomUUID } from "node:crypto";
import { copyFile, mkdir, readFile, readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { CliError, EXIT } from "./errors.ts";
import { syncFolder, writeAtomically } from "./files.ts";

/** A commit, as the cache and the hub name it. */
export const COMMIT = /^[0-9a-f]{40}$/;

/** `org/name`, or a name alone, as the oldest models have it. */
const REPO = /^(?:[\w-][\w.-]*\/)?[\w-][\w.-]*$/;

/** Whether a text may be the name of a model on the hub. */
export function isRepoName(text: string): boolean {
  return REPO.test(text) && text.length <= 96 && !/--|\.\.|\.git$/.test(text);
}

/**
 * One model in the cache that Hugging Face's programs share:
 *
 *     models--org--name/
 *       blobs/<SHA-256, or git's SHA-1>       what files hold, whole and checked
 *       blobs/<…>.tenure.incomplete           what has come so far
 *       refs/<revision>                       the commit that a branch or tag stood for
 *       snapshots/<commit>/<path>             links to blobs
 *
 * @see https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
export class CachedRepo {
  readonly repo: string;
  readonly folder: string;

  constructor(cacheDir: string, repo: string) {
    if (!isRepoName(repo)) {
      throw new CliError(
        EXIT.usage,
        `Cannot use the model name "${repo}": it must be like org/name, of letters, digits, "-", "_" and "."`,
      );
    }
    this.repo = repo;
    this.folder = join(cacheDir, ["models", ...repo.split("/")].join("--"));
  }

  blobPath(digest: string): string {
    return join(this.folder, "blobs", digest);
  }

  snapshotPath(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  /** Where a model is locked while it is downloaded; other programs know the folder. */
  get lockPath(): string {
    return join(dirname(this.folder), ".locks", relative(dirname(this.folder), this.folder));
  }

  /**
   * The folder of a revision, if any of it is in the cache.
   *
   * @param revision A branch, a tag or a commit.
   */
  async findSnapshot(revision: string): Promise<string | undefined> {
    checkRevision(revision);
    const commit = COMMIT.test(revision)
      ? revision
      : (await readFile(join(this.folder, "refs", revision), "utf8").catch(() => "")).trim();
    if (!COMMIT.test(commit)) return undefined;
    const path = this.snapshotPath(commit);
    return (await stat(path).catch(() => undefined))?.isDirectory() === true ? path : undefined;
  }

  /** Remembers which commit a branch or tag stands for. */
  async writeRef(revision: string, commit: string): Promise<void> {
    checkRevision(revision);
    if (revision === commit) return;
    const path = join(this.folder, "refs", revision);
    await mkdir(dirname(path), { recursive: true });
    await writeAtomically(path, commit);
  }

  /** Puts a whole blob into a snapshot under the path of the file. */
  async link(path: string, { commit, digest }: { commit: string; digest: string }): Promise<void> {
    const place = join(this.snapshotPath(commit), ...path.split("/"));
    const blob = this.blobPath(digest);
    await mkdir(dirname(place), { recursive: true });
    // Relative, so that the cache can be moved.
    const target = relative(dirname(place), blob);
    if ((await readlink(place).catch(() => undefined)) === target) return;
    const unfinished = join(this.folder, "blobs", `.${randomUUID()}.tmp`);
    try {
      await placeLink(unfinished, { place, target, blob });
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {}); // the first error is the one to tell
      throw error;
    }
    await syncFolder(dirname(place));
  }
}

/** Links where the system lets us, else copies, as on Windows without developer mode. */
async function placeLink(
  unfinished: string,
  { place, target, blob }: { place: string; target: string; blob: string },
): Promise<void> {
  try {
    await symlink(target, unfinished);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EPERM", "ENOSYS", "ENOTSUP", "EINVAL"].includes(code)) throw error;
    await copyFile(blob, unfinished);
  }
  await rename(unfinished, place);
}

/**
 * Checks the name of a branch, tag or commit, which becomes a path.
 *
 * @throws {CliError} With exit code 2 if it could leave its folder.
 */
export function checkRevision(revision: string): void {
  const isPlain = /^[\w][\w.+/-]*$/.test(revision) && revision.length <= 200;
  if (isPlain && revision.split("/").every((part) => !/^\.{0,2}$/.test(part))) return;
  throw new CliError(
    EXIT.usage,
    `Cannot use the revision ${JSON.stringify(revision)}: it must be a branch, a tag or a commit`,
  );
}
