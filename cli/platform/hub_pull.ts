import { mkdir, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError, EXIT } from "./errors.ts";
import { fileError, isSystemError } from "./files.ts";
import { CachedRepo, checkRevision } from "./hub_cache.ts";
import { HubClient, type HubPatience } from "./hub_client.ts";
import { downloadBlob } from "./hub_download.ts";
import { type HubFile, listRepository } from "./hub_listing.ts";
import { locked } from "./hub_lock.ts";
import { incompletePath } from "./hub_partial.ts";
import { type Selection, selectFiles } from "./hub_select.ts";
import type { HubSettings } from "./hub_settings.ts";

/** Files that are downloaded at the same time. */
const MAX_PARALLEL = 2;

/** What {@linkcode planPull} is asked for. */
export interface PullRequest extends Selection {
  /** Such as `HuggingFaceTB/SmolLM2-135M`. */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  readonly settings: HubSettings;
  readonly patience?: HubPatience;
  readonly signal?: AbortSignal;
  /** Hears of what went wrong and is tried again, or is left out. */
  readonly onNote?: (text: string) => void;
}

/** A file to download. */
export interface PlannedFile extends HubFile {
  /** Bytes of it in the cache. */
  readonly cachedBytes: number;
}

/** What a download will do. */
export interface PullPlan {
  readonly client: HubClient;
  readonly cached: CachedRepo;
  readonly revision: string;
  readonly commit: string;
  readonly files: readonly PlannedFile[];
}

/**
 * Asks the hub which files a model has, chooses those that are needed, and looks which of them are
 * in the cache. Writes nothing.
 *
 * @throws {CliError} If the hub refuses or cannot be reached, or nothing of use is there.
 */
export async function planPull(request: PullRequest): Promise<PullPlan> {
  const { repo, revision, settings, signal, onNote } = request;
  const cached = new CachedRepo(settings.cacheDir, repo);
  checkRevision(revision);
  const client = new HubClient({
    settings,
    repo,
    ...request.patience,
    ...(signal !== undefined && { signal }),
    onRetry: (reason, ms) => onNote?.(`Got ${reason}: trying again in ${Math.ceil(ms / 1000)} s`),
  });
  const { commit, files } = await listRepository(client, revision);
  const { files: chosen, refused } = selectFiles(repo, files, request);
  for (const path of refused) {
    onNote?.(`Leaving out "${path}": such files hold pickles, which run code when they are read`);
  }
  const planned = chosen.map(async (file): Promise<PlannedFile> => {
    const blob = cached.blobPath(file.digest);
    const cachedBytes = (await sizeOf(blob)) ?? (await sizeOf(incompletePath(blob))) ?? 0;
    return { ...file, cachedBytes: Math.min(file.size, cachedBytes) };
  });
  return { client, cached, revision, commit, files: await Promise.all(planned) };
}

/** What {@linkcode runPull} tells and hears. */
export interface PullOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number, isNew: boolean) => void;
  readonly onFile?: (file: PlannedFile) => void;
  readonly onNote?: (text: string) => void;
}

/**
 * Downloads what was planned into the cache, two files at a time. Each file appears in the
 * snapshot once it is whole and checked, and the revision points to it once all are.
 *
 * @returns Folder of the snapshot.
 * @throws {CliError} If a file cannot be had; the others stay, and so does what has come of it.
 */
export async function runPull(plan: PullPlan, options: PullOptions = {}): Promise<string> {
  const { cached, revision, commit } = plan;
  try {
    await checkRoom(plan);
    await locked(cached.lockPath, async () => {
      await downloadAll(plan, options);
      await cached.writeRef(revision, commit);
    });
  } catch (error) {
    if (isSystemError(error) && !(error instanceof CliError)) {
      throw fileError("write", cached.folder, { error, exitCode: EXIT.failure });
    }
    throw error;
  }
  return cached.snapshotPath(commit);
}

/** Downloads all files, a few at a time; the first failure stops the others. */
async function downloadAll(plan: PullPlan, options: PullOptions): Promise<void> {
  const { cached, client, commit, files } = plan;
  // Small ones first: what fails at any file fails early. Files of the same content share a blob,
  // which only one worker may write.
  const queue = uniqueBlobs(files).toSorted((a, b) => a.size - b.size);
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (let blob = queue.shift(); blob !== undefined; blob = queue.shift()) {
      const { digest } = blob;
      try {
        await downloadBlob({ ...options, client, cached, commit, file: blob });
        for (const file of files.filter((each) => each.digest === digest)) {
          await cached.link(file.path, { commit, digest });
          options.onFile?.(file);
        }
      } catch (error) {
        failure ??= { error };
        client.stop();
      }
      if (failure !== undefined) return;
    }
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL }, worker));
  if (failure !== undefined) throw failure.error;
}

/** One file for each content, which may lie under several paths. */
export function uniqueBlobs(files: readonly PlannedFile[]): PlannedFile[] {
  return [...new Map(files.map((file) => [file.digest, file])).values()];
}

async function checkRoom({ cached, files }: PullPlan): Promise<void> {
  const folder = dirname(cached.folder);
  await mkdir(folder, { recursive: true });
  const missing = uniqueBlobs(files).map(({ size, cachedBytes }) => size - cachedBytes);
  const needed = missing.reduce((sum, bytes) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(folder);
  if (needed <= bavail * bsize) return;
  throw new CliError(
    EXIT.failure,
    `Cannot download "${cached.repo}": the disk of "${folder}" must have ${needed} bytes free, got ${bavail * bsize}; choose another with --cache-dir or HF_HUB_CACHE`,
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
