import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { INDEX_FILE } from "../../model/checkpoint/shards.ts";
import { isJsonObject, parseJsonObject } from "../../model/checkpoint/strict_json.ts";
import { CliError, EXIT, failingAs } from "./errors.ts";
import { CachedRepo } from "./hub_cache.ts";
import type { HubFile } from "./hub_listing.ts";
import type { PlannedFile, PullRequest } from "./hub_pull.ts";
import { type Selected, selectFiles } from "./hub_select.ts";

/** What {@linkcode findOffline} finds. */
export interface FoundOffline {
  /** Folder of the snapshot. */
  readonly folder: string;
  /** Those that were asked for, all there. */
  readonly files: readonly PlannedFile[];
}

/**
 * Finds a model in the cache, without any request.
 *
 * @throws {CliError} With exit code 3 if something is missing, naming it.
 */
export async function findOffline(request: PullRequest): Promise<FoundOffline> {
  const { repo, revision, settings, onNote } = request;
  const { cacheDir } = settings;
  const folder = await new CachedRepo(cacheDir, repo).findSnapshot(revision);
  const lacking = (got: string): CliError =>
    new CliError(
      EXIT.data,
      `Cannot find "${repo}" at ${revision} offline: it must be in the cache "${cacheDir}", got ${got}; unset HF_HUB_OFFLINE to download it`,
    );
  if (folder === undefined) throw lacking("none of it");
  let selected: Selected;
  try {
    selected = selectFiles(repo, await filesIn(folder), request);
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.data) throw error;
    throw lacking(error.message.replace(/^.*?, got /, ""));
  }
  const missing = await missingShards(folder, selected);
  if (missing.length > 0) throw lacking(`all but ${missing.join(", ")}`);
  for (const path of selected.refused) onNote?.(`Leaving out "${path}", a pickle`);
  const files = selected.files.map((file) => ({ ...file, cachedBytes: file.size }));
  return { folder, files };
}

/** What is there of a snapshot: links whose blob is gone are not. */
async function filesIn(folder: string): Promise<HubFile[]> {
  const names = await readdir(folder, { recursive: true });
  const files = names.map(async (name): Promise<HubFile[]> => {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile() !== true) return [];
    const path = name.replaceAll("\\", "/");
    return [{ path, size: found.size, digest: path, algorithm: "sha1" }];
  });
  return (await Promise.all(files)).flat();
}

/** Shards that the index lists and that are not there. */
async function missingShards(folder: string, { files }: Selected): Promise<string[]> {
  const names = new Set(files.map(({ path }) => path));
  if (!names.has(INDEX_FILE)) return [];
  const path = join(folder, INDEX_FILE);
  const index = await failingAs(EXIT.data, async () => parseJsonObject(await readFile(path), path));
  const { weight_map: map } = index;
  const shards = isJsonObject(map) ? Object.values(map) : [];
  return [...new Set(shards)].flatMap((shard) =>
    typeof shard === "string" && !names.has(shard) ? [`"${shard}"`] : [],
  );
}
