import { existsSync } from "node:fs";
import { join } from "node:path";
import { INDEX_FILE, WEIGHTS_FILE } from "../../model/checkpoint/shards.ts";
import { EXIT } from "../platform/errors.ts";
import { findOffline } from "../platform/hub_offline.ts";
import { DownloadMeter } from "../platform/hub_progress.ts";
import {
  type PlannedFile,
  planPull,
  type PullPlan,
  type PullRequest,
  runPull,
  uniqueBlobs,
} from "../platform/hub_pull.ts";
import { hubSettings } from "../platform/hub_settings.ts";
import { formatBytes } from "./format.ts";
import { interruptibly } from "./interrupt.ts";
import { formatDuration, Progress } from "./progress.ts";

/** Flags of `tenure pull`. */
export interface PullFlags {
  readonly revision: string;
  readonly include?: readonly string[];
  readonly gguf?: string;
  readonly endpoint?: string;
  readonly cacheDir?: string;
  readonly dryRun?: boolean;
}

/**
 * Downloads a model, or says what would be downloaded, and prints its folder.
 *
 * @throws {CliError} If the hub or the cache lacks it, or the hub cannot be asked.
 */
export async function pull(repo: string, flags: PullFlags): Promise<void> {
  const { revision, include, gguf } = flags;
  const progress = new Progress();
  const request: PullRequest = {
    repo,
    revision,
    ...(include !== undefined && { include }),
    ...(gguf !== undefined && { gguf }),
    settings: hubSettings(flags),
    onNote: (text) => progress.line(text),
  };
  // The name alone finds the usual revision in the usual cache.
  const isUsual = revision === "main" && flags.cacheDir === undefined;
  const report = (folder: string, files: readonly PlannedFile[]): void => {
    const model = modelToLoad(folder, files);
    const named = model === folder && isUsual ? repo : model;
    const next = named === undefined ? "" : `\nNext: tenure generate ${named} "Once upon a time"\n`;
    process.stdout.write(`${folder}\n${next}`);
  };
  if (request.settings.isOffline) {
    const { folder, files } = await findOffline(request);
    if (flags.dryRun === true) process.stdout.write(describe(folder, files));
    else report(folder, files);
    return;
  }
  await interruptibly(async (signal) => {
    try {
      const plan = await planPull({ ...request, signal });
      if (flags.dryRun === true) {
        process.stdout.write(describe(plan.cached.snapshotPath(plan.commit), plan.files));
      } else report(await download(plan, { progress, signal }), plan.files);
    } catch (error) {
      if (!signal.aborted) throw error;
      progress.clear();
      process.stderr.write("Interrupted. Run the same command again to go on.\n");
      process.exitCode = EXIT.retry;
    }
  });
}

/** What of the files to name to load them: the folder, or a GGUF file; undefined if none can be. */
function modelToLoad(folder: string, files: readonly PlannedFile[]): string | undefined {
  const names = files.map(({ path }) => path);
  const hasWeights = names.includes(WEIGHTS_FILE) || names.includes(INDEX_FILE);
  if (hasWeights && existsSync(join(folder, "config.json"))) return folder;
  // A part of one cannot be loaded; other pulls may have left more of them in the folder.
  const ggufs = names.filter((name) => /(?<!-\d{5}-of-\d{5})\.gguf$/i.test(name));
  return ggufs[0] === undefined ? undefined : join(folder, ...ggufs[0].split("/"));
}

/** Downloads with progress shown. */
async function download(
  plan: PullPlan,
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<string> {
  const blobs = uniqueBlobs(plan.files);
  const meter = new DownloadMeter(sum(blobs, ({ size }) => size));
  let numDone = 0;
  progress.line(`${plan.client.repo} at ${plan.commit.slice(0, 8)}: ${summary(plan.files)}`);
  const show = (): void => {
    progress.update(() => formatState(meter, { numDone, numFiles: plan.files.length }));
  };
  const timer = setInterval(show, 100);
  try {
    return await runPull(plan, {
      signal,
      onBytes: (bytes, isNew) => meter.add(bytes, isNew),
      onFile: () => numDone++,
      onNote: (text) => progress.line(text),
    });
  } finally {
    clearInterval(timer);
    progress.clear();
  }
}

function formatState(
  meter: DownloadMeter,
  { numDone, numFiles }: { readonly numDone: number; readonly numFiles: number },
): string {
  const { bytes, totalBytes, rate, leftMs } = meter.state();
  const percent = totalBytes === 0 ? 100 : Math.floor((100 * bytes) / totalBytes);
  const parts = [
    `${numDone} of ${numFiles} files`,
    `${formatBytes(bytes)} of ${formatBytes(totalBytes)} (${percent}%)`,
    ...(leftMs === undefined
      ? []
      : [`${formatBytes(Math.round(rate))}/s`, `${formatDuration(leftMs)} left`]),
  ];
  return parts.join(" · ");
}

/** What would be downloaded, a line a file. */
function describe(folder: string, files: readonly PlannedFile[]): string {
  const width = Math.max(...files.map(({ path }) => path.length));
  const lines = files.map(({ path, size, cachedBytes }) => {
    const there =
      cachedBytes === 0
        ? ""
        : cachedBytes === size
          ? "  in the cache"
          : `  ${formatBytes(cachedBytes)} in the cache`;
    return `${path.padEnd(width)}  ${formatBytes(size).padStart(10)}${there}\n`;
  });
  return `${lines.join("")}${summary(files)}; folder ${folder}\n`;
}

function summary(files: readonly PlannedFile[]): string {
  const blobs = uniqueBlobs(files);
  const missing = sum(blobs, ({ size, cachedBytes }) => size - cachedBytes);
  const total = formatBytes(sum(blobs, ({ size }) => size));
  return `${files.length} files, ${total}, ${formatBytes(missing)} to download`;
}

function sum(files: readonly PlannedFile[], value: (file: PlannedFile) => number): number {
  return files.reduce((total, file) => total + value(file), 0);
}
