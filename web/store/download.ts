import { EngineError } from "../engine/errors.ts";
import type { Piece } from "./model_folder.ts";

/** How files are fetched. */
export interface FetchOptions {
  /** Stands in for the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Wait before the first new attempt; it doubles with each. @default {250} */
  readonly retryMs?: number | undefined;
  /** How long a server may send nothing before the connection counts as broken. @default {30000} */
  readonly idleMs?: number | undefined;
}

/** Attempts that follow a failed one without bringing the download further. */
const MAX_RETRIES = 4;

/** Statuses of servers that may answer better a moment later. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

const CHECK_CONNECTION = "Check the connection and try again.";

/** Something that another attempt may cure. */
class TransientError extends Error {}

/** How far a download is. */
interface State {
  received: number;
  /** What the server says that the bytes so far are of: an entity tag, or a date. */
  validator: string | undefined;
}

/**
 * Fetches a file. Where the connection breaks, the rest is asked for, as long as it is the rest of
 * the same file (`If-Range`); a server that cannot tell, or has no ranges, sends it anew.
 *
 * @returns Pieces in order; one that begins at 0 begins the file anew.
 * @throws {EngineError} `"network"` if the server does not answer, refuses, or breaks off again and
 *   again; `"corrupt"` if it has no such file.
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
 */
export async function* download(url: string, options: FetchOptions = {}): AsyncGenerator<Piece> {
  const { retryMs = 250, signal } = options;
  const state: State = { received: 0, validator: undefined };
  let furthest = 0;
  for (let failures = 0; ;) {
    try {
      for await (const piece of attempt(url, state, options)) yield piece;
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      failures = state.received > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, state.received);
      if (failures > MAX_RETRIES) throw unreachable(url, error);
      await pause(retryMs * 2 ** (failures - 1), signal);
    }
  }
}

/**
 * Asks a server for the length of a file, without fetching it.
 *
 * @returns Undefined if it is not there. Servers of single-page apps answer everything with a page
 *   of HTML: that counts as not there.
 * @throws {EngineError} `"network"` as for {@linkcode download}.
 */
export async function probe(
  url: string,
  options: FetchOptions = {},
): Promise<{ readonly probableBytes?: number } | undefined> {
  const { fetch: send = fetch, signal, retryMs = 250 } = options;
  for (let failures = 1; ; failures++) {
    try {
      const response = await request(send, url, { method: "HEAD", signal });
      if (response.status === 404 || response.status === 410) return undefined;
      if (response.ok && isPage(response)) return undefined;
      if (response.ok) return lengthOf(response);
      // A server without HEAD tells when the file is fetched.
      if (response.status === 405 || response.status === 501) return await probeByGet(url, options);
      throw refusal(url, response);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      if (failures > MAX_RETRIES) throw unreachable(url, error);
      await pause(retryMs * 2 ** (failures - 1), signal);
    }
  }
}

async function probeByGet(url: string, { fetch: send = fetch, signal }: FetchOptions) {
  const response = await request(send, url, { signal });
  await response.body?.cancel();
  if (response.status === 404 || response.status === 410 || isPage(response)) return undefined;
  if (response.ok) return lengthOf(response);
  throw refusal(url, response);
}

/** One request, and what it brings. */
async function* attempt(
  url: string,
  state: State,
  { fetch: send = fetch, signal, idleMs = 30_000 }: FetchOptions,
): AsyncGenerator<Piece> {
  const watch = new IdleWatch(idleMs, signal);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    watch.begin();
    const headers = rangeHeaders(state);
    const response = await request(send, url, { signal: watch.signal, headers });
    reader = response.body?.getReader();
    if (!isRest(response, state)) {
      checkWhole(url, response, state);
      state.received = 0;
      state.validator = validatorOf(response);
      yield { at: 0, bytes: new Uint8Array() };
    }
    for (;;) {
      watch.begin();
      const next = await reader?.read().catch(asTransient);
      watch.rest();
      if (next === undefined || next.done) return;
      const at = state.received;
      state.received += next.value.length;
      yield { at, bytes: next.value };
    }
  } finally {
    watch.end();
    await reader?.cancel().catch(() => {});
  }
}

function rangeHeaders({ received, validator }: State): Record<string, string> {
  if (received === 0 || validator === undefined) return {};
  return { range: `bytes=${received}-`, "if-range": validator };
}

/** Checks that a response brings a file from its first byte on. */
function checkWhole(url: string, response: Response, state: State): void {
  if (response.ok && response.status !== 206) return;
  if (response.status !== 206 && response.status !== 416) throw refusal(url, response);
  state.validator = undefined;
  throw new TransientError("another part of the file than was asked for");
}

/** Aborts a request that brings nothing for a while, or that the caller ends. */
class IdleWatch {
  readonly #controller = new AbortController();
  readonly #idleMs: number;
  readonly #outer: AbortSignal | undefined;
  readonly #abort = () => this.#controller.abort();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(idleMs: number, outer: AbortSignal | undefined) {
    this.#idleMs = idleMs;
    this.#outer = outer;
    if (outer?.aborted === true) this.#abort();
    outer?.addEventListener("abort", this.#abort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  begin(): void {
    this.rest();
    this.#timer = setTimeout(this.#abort, this.#idleMs);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.rest();
    this.#outer?.removeEventListener("abort", this.#abort);
  }
}

interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal | undefined;
}

function request(
  send: typeof fetch,
  url: string,
  { method = "GET", headers = {}, signal }: Ask,
): Promise<Response> {
  // The browser's cache would keep a second copy of what the store keeps.
  const init = { method, headers, cache: "no-store" as const, ...(signal && { signal }) };
  return send(url, init).catch(asTransient);
}

/** Whether a response holds what follows the bytes that are there. */
function isRest({ status, headers }: Response, { received }: State): boolean {
  if (status !== 206 || received === 0) return false;
  // Other origins may hide the header; then the sum at the end tells.
  const range = headers.get("content-range");
  return range === null || range.startsWith(`bytes ${received}-`);
}

/** What names the version of a file strongly enough to go on with it. */
function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get("etag");
  if (tag !== null) return tag.startsWith("W/") ? undefined : tag;
  return headers.get("last-modified") ?? undefined;
}

function lengthOf({ headers }: Response): { readonly probableBytes?: number } {
  const length = headers.get("content-length");
  // The length of what is compressed is not the file's; other origins may hide that it is.
  if (length === null || headers.has("content-encoding")) return {};
  return { probableBytes: Number(length) };
}

function isPage({ headers }: Response): boolean {
  return /^text\/html\b/i.test(headers.get("content-type") ?? "");
}

function asTransient(error: unknown): never {
  throw new TransientError(error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

function refusal(url: string, { status, statusText }: Response): Error {
  const got = `${status} ${statusText}`.trim();
  if (TRANSIENT.has(status)) return new TransientError(got);
  const isMissing = status === 404 || status === 410;
  return new EngineError({
    kind: isMissing ? "corrupt" : "network",
    message: `Cannot download "${url}": the server must have it and give it out, got ${got}`,
    remedy: isMissing
      ? "Check the address, or get the model's files from somebody who has them all."
      : "Check the address and whether the server lets you in.",
  });
}

function unreachable(url: string, cause: Error): EngineError {
  return new EngineError({
    kind: "network",
    message: `Cannot download "${url}": the server must send it whole, got ${cause.message} ${MAX_RETRIES + 1} times`,
    remedy: CHECK_CONNECTION,
    cause,
  });
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
