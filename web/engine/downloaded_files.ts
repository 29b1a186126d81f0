import type { ByteSource, FileSet } from "../../model/checkpoint/byte_source.ts";
import { fileSource } from "../../model/pretrained/file_sets.ts";
import { below } from "./addresses.ts";
import type { CallOptions } from "./api.ts";
import { abortedError } from "./explain.ts";
import { EngineError } from "./errors.ts";

/** Where files are fetched from, and how that is told. */
export interface DownloadOptions extends CallOptions {
  /** Stands in for the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/**
 * The files below a URL. Each is fetched whole, once, when it is first asked for, and kept as a
 * blob, which browsers may put on disk: whoever reads it later, asks no network.
 *
 * @param base Address of the folder, with a slash at its end.
 */
export function downloadedFiles(base: URL, options: DownloadOptions): FileSet {
  const known = new Map<string, Promise<ByteSource | undefined>>();
  return {
    name: base.href,
    open(name) {
      let file = known.get(name);
      if (file === undefined) {
        file = download(below(base, name), name, options);
        known.set(name, file);
        file.catch(() => known.delete(name)); // the next attempt asks again
      }
      return file;
    },
  };
}

async function download(
  url: string,
  name: string,
  options: DownloadOptions,
): Promise<ByteSource | undefined> {
  const { fetch: send = fetch, signal } = options;
  try {
    const response = await send(url, signal === undefined ? {} : { signal });
    if (isMissing(response)) {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok) throw refused(url, response);
    const blob = await bodyOf(response, name, options);
    return fileSource({ name, size: blob.size, slice: (begin, end) => blob.slice(begin, end) });
  } catch (cause) {
    if (signal?.aborted === true) throw abortedError(signal.reason);
    if (cause instanceof EngineError) throw cause;
    throw unreachable(url, cause);
  }
}

/** No file has that name; servers of single-page sites answer with their page instead. */
function isMissing({ status, headers }: Response): boolean {
  const isPage = /^text\/html\b/i.test(headers.get("content-type") ?? "");
  return status === 404 || status === 410 || (status === 200 && isPage);
}

async function bodyOf(
  { body, headers }: Response,
  name: string,
  { onProgress }: DownloadOptions,
): Promise<Blob> {
  if (body === null) return new Blob([]);
  // The length of what is sent, which is not that of the file if it is sent compressed.
  const length = headers.has("content-encoding") ? null : headers.get("content-length");
  const total = length === null ? {} : { total: Number(length) };
  let done = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      done += chunk.length;
      onProgress?.({ phase: "download", what: name, done, unit: "bytes", ...total });
      controller.enqueue(chunk);
    },
  });
  return new Response(body.pipeThrough(counted as never)).blob();
}

function refused(url: string, { status, statusText }: Response): EngineError {
  const isPrivate = status === 401 || status === 403;
  return new EngineError({
    kind: "network",
    message: `Cannot download "${url}": the server must send it, got ${`${status} ${statusText}`.trim()}`,
    remedy: isPrivate
      ? "Ask whoever runs the server for access, or choose the files by hand."
      : "Check the address, and try again later.",
  });
}

function unreachable(url: string, cause: unknown): EngineError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new EngineError({
    kind: "network",
    message: `Cannot download "${url}": the server must be reachable, got ${detail}`,
    remedy:
      "Check the connection. A server of another origin must allow this page by CORS, and the page's Content-Security-Policy must allow the server.",
    cause,
  });
}
