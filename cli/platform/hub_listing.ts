import { CliError, EXIT } from "./errors.ts";
import { COMMIT } from "./hub_cache.ts";
import type { HubClient } from "./hub_client.ts";

/** A file of a model on the hub. */
export interface HubFile {
  /** Path in the repository, checked: plain names with slashes between. */
  readonly path: string;
  readonly size: number;
  /** What its bytes must hash to; also the name of its blob in the cache. */
  readonly digest: string;
  /** SHA-256 for files in large file storage, git's SHA-1 for others. */
  readonly algorithm: "sha256" | "sha1";
}

/** The files of a model at one commit. */
export interface HubListing {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** Most files that a repository may have. */
const MAX_FILES = 100_000;

/**
 * Asks the hub which files a model has at a revision.
 *
 * @throws {CliError} If the hub refuses, or answers with what is no listing: paths that leave
 * their folder, sizes that are no numbers, digests that are none.
 */
export async function listRepository(client: HubClient, revision: string): Promise<HubListing> {
  const { listFiles, modelInfo } = await import("@huggingface/hub");
  const { repo, settings } = client;
  // The client sends the token, wherever it may go.
  const common = { hubUrl: settings.endpoint, fetch: client.fetchApi };
  const info = await parsed(client, () =>
    modelInfo({ ...common, name: repo, revision, additionalFields: ["sha"] }),
  );
  const commit: unknown = info.sha;
  if (typeof commit !== "string" || !COMMIT.test(commit)) {
    throw answerError(client, "must name a commit of 40 hexadecimal digits", commit);
  }
  const files = new Map<string, HubFile>();
  let numEntries = 0;
  await parsed(client, async () => {
    for await (const entry of listFiles({ ...common, repo, recursive: true, revision: commit })) {
      if (++numEntries > MAX_FILES) {
        throw answerError(client, `must list at most ${MAX_FILES} files`, "more");
      }
      if (entry.type !== "file") continue;
      const file = fileOf(client, entry);
      if (files.has(file.path)) throw answerError(client, "must list each file once", file.path);
      files.set(file.path, file);
    }
  });
  return { commit, files: [...files.values()] };
}

/** Runs a call of the library, whose errors say nothing of the cause where an answer is no JSON. */
async function parsed<T>(client: HubClient, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const isForeign = error instanceof SyntaxError || error instanceof TypeError;
    if (!isForeign) throw error;
    throw new CliError(
      EXIT.data,
      `Cannot download "${client.repo}": "${client.settings.endpoint}" must answer as a hub does, got ${error.message}`,
      { cause: error },
    );
  }
}

/** Checks an entry of a listing, of which nothing can be trusted. */
function fileOf(client: HubClient, entry: object): HubFile {
  const { path, size, oid, lfs } = entry as Readonly<Record<string, unknown>>;
  if (typeof path !== "string" || !isPlainPath(path)) {
    throw answerError(client, "must list files by plain relative paths", path);
  }
  const isLarge = typeof lfs === "object" && lfs !== null;
  const large = (isLarge ? lfs : {}) as Readonly<Record<string, unknown>>;
  const bytes = isLarge ? large["size"] : size;
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw answerError(client, `must give the bytes of "${path}"`, bytes);
  }
  const digest = isLarge ? large["oid"] : oid;
  const pattern = isLarge ? /^[0-9a-f]{64}$/ : COMMIT;
  if (typeof digest !== "string" || !pattern.test(digest)) {
    throw answerError(client, `must give the digest of "${path}"`, digest);
  }
  return { path, size: bytes, digest, algorithm: isLarge ? "sha256" : "sha1" };
}

/** Whether a path stays below its folder, on any system, and is shown as it is. */
export function isPlainPath(path: string): boolean {
  // oxlint-disable-next-line no-control-regex -- such names would forge lines on a terminal
  if (path.length > 1024 || /[\\\u0000-\u001F\u007F-\u009F\u2028\u2029]/.test(path)) return false;
  return path
    .split("/")
    .every((part) => part.length <= 255 && !/^(\.{0,2}|[a-zA-Z]:.*)$/.test(part));
}

function answerError(client: HubClient, rule: string, got: unknown): CliError {
  const text = (JSON.stringify(got) ?? "none").slice(0, 100);
  return new CliError(EXIT.data, `Cannot download "${client.repo}": the hub ${rule}, got ${text}`);
}
