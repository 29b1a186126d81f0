import { rm } from "node:fs/promises";
import { CliError, EXIT } from "./errors.ts";
import type { CachedRepo } from "./hub_cache.ts";
import type { HubClient } from "./hub_client.ts";
import { TransientError } from "./hub_errors.ts";
import type { HubFile } from "./hub_listing.ts";
import { checkBlob, PartialBlob } from "./hub_partial.ts";

/** Attempts after the first whose bytes were not those that the hub promised. */
const MAX_WRONG = 3;

/** What {@linkcode downloadBlob} is asked for. */
export interface BlobRequest {
  readonly client: HubClient;
  readonly cached: CachedRepo;
  readonly commit: string;
  readonly file: HubFile;
  readonly signal?: AbortSignal;
  /** Hears of bytes that are there, and of bytes that are gone, below 0. */
  readonly onBytes?: (bytes: number, isNew: boolean) => void;
  /** Hears of what went wrong and is tried again. */
  readonly onNote?: (text: string) => void;
}

/** Bytes that are not those that the hub promised. */
class WrongBytesError extends Error {}

/**
 * Brings one file into the cache: what an earlier download left is gone on with, and the final
 * name is given only to bytes with the right length and digest. A blob that is there is read and
 * checked, and, if it is damaged, downloaded again.
 *
 * @throws {CliError} With exit code 3 if the bytes are wrong again and again, 75 if the connection
 * is, 1 if the disk refuses. What has come stays for the next time, unless it is wrong.
 */
export async function downloadBlob(request: BlobRequest): Promise<void> {
  const { cached, file, signal, onBytes, onNote } = request;
  const blob = cached.blobPath(file.digest);
  const isWhole = await checkBlob(blob, file, signal);
  if (isWhole === true) return onBytes?.(file.size, false);
  if (isWhole === false) {
    onNote?.(`"${file.path}" in the cache is damaged: it is downloaded again`);
    await rm(blob);
  }
  const partial = await PartialBlob.open(blob, file, signal);
  try {
    onBytes?.(partial.length, false);
    for (let wrong = 0; !(await attempt(partial, request)); wrong++) {
      if (wrong === MAX_WRONG) throw wrongBytes(request);
      onNote?.(`"${file.path}" came with wrong bytes: it is downloaded again`);
    }
  } finally {
    await partial.close();
  }
}

/** Downloads what is left; false if the bytes are wrong, and gone. */
async function attempt(partial: PartialBlob, request: BlobRequest): Promise<boolean> {
  const { client, file } = request;
  const reset = async (): Promise<void> => {
    request.onBytes?.(-partial.length, true);
    await partial.reset();
  };
  let before = partial.length;
  const hasAdvanced = (): boolean => {
    const advanced = partial.length > before;
    before = partial.length;
    return advanced;
  };
  try {
    await client.withRetries(async () => {
      if (partial.length < file.size) await fetchRest(partial, request, reset);
    }, hasAdvanced);
  } catch (error) {
    if (!(error instanceof WrongBytesError)) throw error;
    await reset();
    return false;
  }
  if (await partial.publish()) return true;
  request.onBytes?.(-file.size, true);
  return false;
}

async function fetchRest(
  partial: PartialBlob,
  { client, commit, file, onBytes }: BlobRequest,
  reset: () => Promise<void>,
): Promise<void> {
  const begin = partial.length;
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  const url = `${client.settings.endpoint}/${client.repo}/resolve/${commit}/${path}`;
  const range = begin > 0 ? { range: `bytes=${begin}-` } : undefined;
  await client.open(url, { ...range }, async (response) => {
    if (isFromStart(response, { begin, size: file.size })) await reset();
    for await (const piece of client.bodyOf(response)) {
      if (partial.length + piece.length > file.size) throw new WrongBytesError();
      await partial.append(piece);
      onBytes?.(piece.length, true);
    }
  });
  if (partial.length < file.size) {
    throw new TransientError(`only ${partial.length} of ${file.size} bytes of "${file.path}"`);
  }
}

/** Whether a server sends the whole file although the rest was asked for. */
function isFromStart(
  { status, headers }: Response,
  { begin, size }: { readonly begin: number; readonly size: number },
): boolean {
  if (status === 206) {
    const [, from, total] =
      /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
    const isRight = Number(from) === begin && (total === "*" || Number(total) === size);
    if (isRight) return false;
    throw new WrongBytesError();
  }
  const length = headers.get("content-length");
  const isEncoded = (headers.get("content-encoding") ?? "identity") !== "identity";
  if (status !== 200 || (length !== null && !isEncoded && Number(length) !== size)) {
    throw new WrongBytesError();
  }
  return begin > 0;
}

function wrongBytes({ client, file, commit }: BlobRequest): CliError {
  const { path, digest, size, algorithm } = file;
  const name = algorithm === "sha256" ? "SHA-256" : "git's SHA-1";
  return new CliError(
    EXIT.data,
    `Cannot download "${path}" of "${client.repo}": its ${size} bytes must have the ${name} ${digest}, as the hub lists it at ${commit.slice(0, 8)}, got other bytes ${MAX_WRONG + 1} times; something on the way changes them: try another network or HF_ENDPOINT`,
  );
}
