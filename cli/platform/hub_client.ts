import { setTimeout as wait } from "node:timers/promises";
import { CliError, EXIT } from "./errors.ts";
import { connectionError, refusalOf, TransientError } from "./hub_errors.ts";
import type { HubSettings } from "./hub_settings.ts";

/** How patient a {@linkcode HubClient} is. */
export interface HubPatience {
  /** Attempts after the first that got nowhere. @default {4} */
  readonly maxRetries?: number;
  /** Wait before the first retry; it doubles with each. @default {1000} */
  readonly backoffMs?: number;
  /** Time without a byte after which an attempt is given up. @default {60,000} */
  readonly stallMs?: number;
}

/** What a {@linkcode HubClient} is made of. */
export interface HubClientOptions extends HubPatience {
  readonly settings: HubSettings;
  readonly repo: string;
  readonly signal?: AbortSignal;
  /** Hears of every retry: why, and how long until then. */
  readonly onRetry?: (reason: string, delayMs: number) => void;
}

const MAX_REDIRECTS = 5;

/** Longest answer of the API that is read, in bytes. */
const MAX_ANSWER_BYTES = 2 ** 26;

/** Longest wait that a server may ask for. */
const MAX_DELAY_MS = 120_000;

/**
 * Requests to a hub: the token goes to the hub alone, redirects are few and never to less safety,
 * what may pass is tried again, and every refusal becomes an error for people.
 */
export class HubClient {
  readonly settings: HubSettings;
  readonly repo: string;
  readonly stallMs: number;
  readonly #origin: string;
  readonly #stopped = new AbortController();
  readonly #signal: AbortSignal;
  readonly #maxRetries: number;
  readonly #backoffMs: number;
  readonly #onRetry: HubClientOptions["onRetry"];

  constructor({ settings, repo, signal, onRetry, ...patience }: HubClientOptions) {
    this.settings = settings;
    this.repo = repo;
    this.#origin = new URL(settings.endpoint).origin;
    const own = this.#stopped.signal;
    this.#signal = signal === undefined ? own : AbortSignal.any([signal, own]);
    this.#onRetry = onRetry;
    this.#maxRetries = patience.maxRetries ?? 4;
    this.#backoffMs = patience.backoffMs ?? 1000;
    this.stallMs = patience.stallMs ?? 60_000;
  }

  /** Stands in for `fetch` in the hub's library: whole answers of the API, of bounded length. */
  readonly fetchApi: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = Object.fromEntries(new Headers(init?.headers));
    return this.withRetries(() =>
      this.open(url, headers, async (response) => {
        const pieces: Uint8Array<ArrayBuffer>[] = [];
        let length = 0;
        for await (const piece of this.bodyOf(response)) {
          length += piece.length;
          if (length > MAX_ANSWER_BYTES) {
            throw new CliError(
              EXIT.data,
              `Cannot read "${addressOf(new URL(url))}": an answer must have at most ${MAX_ANSWER_BYTES} bytes, got more`,
            );
          }
          pieces.push(piece);
        }
        const { status } = response;
        return new Response(new Blob(pieces), { status, headers: response.headers });
      }),
    );
  };

  /**
   * Makes one request, and gives its answer to `use`; the connection ends with it.
   *
   * @throws {TransientError} If another attempt may do.
   * @throws {CliError} If it will not.
   */
  async open<T>(
    url: string,
    headers: Readonly<Record<string, string>>,
    use: (response: Response) => Promise<T>,
  ): Promise<T> {
    this.#signal.throwIfAborted();
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    const timer = setTimeout(abort, this.stallMs);
    this.#signal.addEventListener("abort", abort, { once: true });
    try {
      const following = this.#follow(new URL(url), headers, controller.signal);
      const response = await following.catch((error: unknown) => {
        if (!controller.signal.aborted) throw error;
        this.#signal.throwIfAborted();
        throw new TransientError(`no answer from ${hostOf(url)} in ${this.stallMs / 1000} s`);
      });
      clearTimeout(timer);
      return await use(response);
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", abort);
      controller.abort(); // whatever is left of the answer
    }
  }

  /** Ends all requests, and refuses others. */
  stop(): void {
    this.#stopped.abort();
  }

  /** The pieces of an answer; a server that stalls is given up. */
  async *bodyOf({ body, url }: Response): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (body === null) return;
    const reader = body.getReader();
    try {
      while (true) {
        const piece = await this.#withStall(reader.read(), url);
        if (piece.done) return;
        yield piece.value;
      }
    } finally {
      reader.cancel().catch(() => {}); // it has failed already, or nobody wants the rest
    }
  }

  /**
   * Tries again what may pass: dropped connections, servers that are busy or broken.
   *
   * @param work An attempt.
   * @param hasAdvanced Whether the last attempt got further, so that counting begins anew.
   * @throws {CliError} With exit code 75, after the last attempt.
   */
  async withRetries<T>(work: () => Promise<T>, hasAdvanced = () => false): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        if (hasAdvanced()) failures = 1;
        const delay = error.retryAfterMs ?? this.#backoffMs * 2 ** (failures - 1);
        if (failures > this.#maxRetries || delay > MAX_DELAY_MS) throw this.#givenUp(error);
        this.#onRetry?.(error.message, delay);
        await wait(delay, undefined, { signal: this.#signal });
      }
    }
  }

  #givenUp(error: TransientError): CliError {
    const when =
      error.retryAfterMs === undefined
        ? "later"
        : `in ${Math.ceil(error.retryAfterMs / 60_000)} min`;
    return new CliError(
      EXIT.retry,
      `Cannot download "${this.repo}": the hub must answer, got ${error.message}; run the same command ${when} to go on where this one ended`,
      { cause: error },
    );
  }

  async #follow(
    first: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    let url = first;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const isHub = url.origin === this.#origin;
      const { token } = this.settings;
      const init: RequestInit = {
        // Bytes as they are stored: ranges and lengths are of those.
        headers: {
          "accept-encoding": "identity",
          ...headers,
          ...(isHub && token !== undefined && { authorization: `Bearer ${token}` }),
        },
        redirect: "manual",
        signal,
      };
      const response = await fetch(url, init).catch((error: unknown) => {
        throw signal.aborted ? error : connectionError(error, url.host);
      });
      const location = [301, 302, 303, 307, 308].includes(response.status)
        ? response.headers.get("location")
        : null;
      if (location === null) {
        const refusal = refusalOf(response, { client: this, isHub });
        if (refusal === undefined) return response;
        await response.body?.cancel();
        throw refusal;
      }
      await response.body?.cancel();
      url = redirected(url, location);
    }
    throw new CliError(
      EXIT.data,
      `Cannot read "${addressOf(first)}": redirects must end after ${MAX_REDIRECTS}, got more`,
    );
  }

  async #withStall<T>(reading: Promise<T>, url: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const stalled = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new TransientError(`no byte in ${this.stallMs / 1000} s`)),
        this.stallMs,
      );
    });
    try {
      return await Promise.race([reading, stalled]);
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error instanceof TransientError ? error : connectionError(error, hostOf(url));
    } finally {
      clearTimeout(timer);
    }
  }
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isSafe =
    to?.protocol === "https:" || (to?.protocol === "http:" && from.protocol === "http:");
  if (to !== undefined && isSafe) return to;
  throw new CliError(
    EXIT.data,
    `Cannot read "${addressOf(from)}": it must redirect to an address as safe as itself, got ${to === undefined ? "none that can be read" : `"${to.protocol}//${to.host}"`}`,
  );
}

/** An address without its query, which may be as good as a password. */
function addressOf({ host, pathname }: URL): string {
  return `${host}${pathname}`;
}

function hostOf(url: string): string {
  return new URL(url).host;
}
