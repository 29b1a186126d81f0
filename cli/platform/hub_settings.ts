import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { CliError, EXIT } from "./errors.ts";
import { fileError } from "./files.ts";

/** Where models come from and where they are kept. */
export interface HubSettings {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** Sent to the endpoint only, never to where it redirects. */
  readonly token?: string;
  /** Folder of the cache, which other programs share. */
  readonly cacheDir: string;
  /** Whether no request may be made. */
  readonly isOffline: boolean;
}

/** What a command line says about {@linkcode HubSettings}, before the environment. */
export interface HubFlags {
  readonly endpoint?: string;
  readonly cacheDir?: string;
}

const DEFAULT_ENDPOINT = "https://huggingface.co";

/** Hosts that are this machine, where a token may go unencrypted. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Settings as Hugging Face's own programs read them from the environment: `HF_ENDPOINT`,
 * `HF_HUB_CACHE` (or `HUGGINGFACE_HUB_CACHE`), `HF_HOME`, `XDG_CACHE_HOME`, `HF_TOKEN`,
 * `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`.
 *
 * @throws {CliError} With exit code 2 if the endpoint is no address, or the token cannot be sent.
 * @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */
export function hubSettings(
  flags: HubFlags = {},
  env: NodeJS.ProcessEnv = process.env,
): HubSettings {
  const endpoint = parseEndpoint(flags.endpoint ?? (env["HF_ENDPOINT"] || DEFAULT_ENDPOINT));
  const isOffline = /^(1|on|yes|true)$/i.test(env["HF_HUB_OFFLINE"] ?? "");
  const cacheDir = resolve(flags.cacheDir ?? hubCacheFolder(env));
  const token = isOffline ? undefined : readToken(env);
  if (token !== undefined) checkToken(token, endpoint);
  return { endpoint: endpointText(endpoint), cacheDir, isOffline, ...(token && { token }) };
}

/** The cache folder that the environment names. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const named = env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"];
  return named ? expandHome(named, env) : join(hubHome(env), "hub");
}

function hubHome(env: NodeJS.ProcessEnv): string {
  const caches = env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache");
  return expandHome(env["HF_HOME"] || join(caches, "huggingface"), env);
}

function expandHome(path: string, env: NodeJS.ProcessEnv): string {
  return path.replace(/^~(?=$|[/\\])/, () => env["HOME"] || homedir());
}

function readToken(env: NodeJS.ProcessEnv): string | undefined {
  const named = (env["HF_TOKEN"] || env["HUGGING_FACE_HUB_TOKEN"] || "").trim();
  if (named !== "") return named;
  const path = expandHome(env["HF_TOKEN_PATH"] || join(hubHome(env), "token"), env);
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) {
      return undefined;
    }
    throw fileError("read", path, { error, exitCode: EXIT.usage });
  }
}

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.search === "" && url.hash === "" && url.username + url.password === "";
  if (isPlain && /^https?:$/.test(url.protocol)) return url;
  throw new CliError(
    EXIT.usage,
    `Cannot use the endpoint: it must be an address such as ${DEFAULT_ENDPOINT}, without user and query, got "${url === undefined ? text : `${url.protocol}//${url.host}`}"; see HF_ENDPOINT`,
  );
}

function endpointText({ href }: URL): string {
  return href.replace(/\/+$/, "");
}

/** The token itself is never shown. */
function checkToken(token: string, endpoint: URL): void {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new CliError(
      EXIT.usage,
      "Cannot use HF_TOKEN: it must be of printable ASCII characters without spaces, got others",
    );
  }
  if (endpoint.protocol === "https:" || LOOPBACK.test(endpoint.hostname)) return;
  throw new CliError(
    EXIT.usage,
    `Cannot send HF_TOKEN to "${endpointText(endpoint)}": the endpoint must begin with https, got http; unset the token, or use https`,
  );
}
