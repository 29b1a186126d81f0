import { CliError, EXIT } from "./errors.ts";
import type { HubClient } from "./hub_client.ts";

/** Something that may pass: the same request may succeed a little later. */
export class TransientError extends Error {
  /** What the server asks to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.name = "TransientError";
    this.retryAfterMs = retryAfterMs;
  }
}

/** Which answer {@linkcode refusalOf} is asked about. */
interface Asked {
  readonly client: HubClient;
  /** Whether the hub itself answers, not a store that it redirects to. */
  readonly isHub: boolean;
}

/** The error that an answer amounts to; none if it brings what was asked for, or a range cannot be. */
export function refusalOf(response: Response, asked: Asked): Error | undefined {
  const { ok, status, headers } = response;
  if (ok || status === 416) return undefined;
  const answer = `${status}${response.statusText && ` ${response.statusText}`}`;
  if (status === 429) {
    return new TransientError(`${answer}, too many requests`, retryAfter(headers));
  }
  if (status >= 500 || status === 408) return new TransientError(answer, retryAfter(headers));
  // Links to a store expire; the hub gives a new one.
  if (!asked.isHub && (status === 401 || status === 403)) return new TransientError(answer);
  return new CliError(EXIT.data, messageOf(answer, response, asked));
}

/** Milliseconds to wait, from `Retry-After` in seconds or as a date. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function messageOf(answer: string, { status, headers }: Response, { client }: Asked): string {
  const { repo, settings } = client;
  const page = `${settings.endpoint}/${repo}`;
  const code = headers.get("x-error-code") ?? "";
  const token =
    settings.token === undefined
      ? `set HF_TOKEN to a token from ${settings.endpoint}/settings/tokens`
      : "use a HF_TOKEN that may read it";
  const cannot = `Cannot download "${repo}":`;
  if (code === "GatedRepo" || status === 403) {
    return `${cannot} you must have access to it, got ${answer}; accept its licence at ${page}, and ${token}`;
  }
  if (code === "RevisionNotFound") {
    return `${cannot} the revision must exist, got ${answer}; see ${page}/tree/main`;
  }
  // The hub does not tell strangers which private models exist.
  if (status === 401) {
    return `${cannot} it must exist and be open to you, got ${answer}; check the name, or, if it is private or gated, accept its licence at ${page}, and ${token}`;
  }
  if (status === 404) {
    return `${cannot} it must exist, got ${answer}; check the name and the revision at ${page}`;
  }
  const said = (headers.get("x-error-message") ?? "").slice(0, 200);
  return `${cannot} the hub must let it, got ${answer}${said && `, "${said}"`}`;
}

/** Codes of failures that the next second will not change. */
const LASTING = /^(ENOTFOUND|ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)/;

/** What a failed connection amounts to. */
export function connectionError(error: unknown, host: string): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code = "" } = cause as NodeJS.ErrnoException;
  const message = cause instanceof Error ? cause.message : String(cause);
  const reason = code === "" || message.includes(code) ? message : `${code}, ${message}`;
  if (LASTING.test(code)) {
    return new CliError(
      EXIT.retry,
      `Cannot reach "${host}": the network must lead there, got ${reason}; see HF_ENDPOINT, or set HF_HUB_OFFLINE=1 to use what the cache has`,
      { cause: error },
    );
  }
  return new TransientError(`a broken connection to ${host} (${reason})`, undefined, {
    cause: error,
  });
}
