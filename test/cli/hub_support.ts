import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { planPull, type PullRequest, runPull } from "../../cli/platform/hub_pull.ts";
import { digestOf, HubServer, type HubServerOptions, type ServedFile } from "./hub_server.ts";
import { temporaryFolder } from "./run_support.ts";

export const REPO = "org/name";
export const WEIGHTS = "model.safetensors";

export const folder = temporaryFolder();

export function newCache(): string {
  return mkdtempSync(join(folder, "cache-"));
}

/** Bytes that differ from file to file and from place to place. */
export function content(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 255);
}

export const small = (text: string): ServedFile => ({
  bytes: Uint8Array.from(Buffer.from(text)),
  isLarge: false,
});
export const large = (length: number, seed = 1): ServedFile => ({
  bytes: content(length, seed),
  isLarge: true,
});

/** Several pieces of a socket, and ragged. */
export const LENGTH = 300_001;

export const FILES: Readonly<Record<string, ServedFile>> = {
  "README.md": small("# Not needed"),
  "config.json": small('{"model_type":"llama"}'),
  "tokenizer.json": large(5000, 2),
  [WEIGHTS]: large(LENGTH),
  "pytorch_model.bin": large(100, 3),
};

/** Retries at once, and gives up a silent server soon. */
export const PATIENCE = { backoffMs: 1, stallMs: 300 };

export interface Changes extends Partial<PullRequest> {
  readonly cacheDir?: string;
  readonly token?: string;
}

export function requestOf(
  server: HubServer,
  { cacheDir, token, ...changes }: Changes = {},
): PullRequest {
  const settings = {
    endpoint: server.endpoint,
    cacheDir: cacheDir ?? newCache(),
    isOffline: false,
    ...(token !== undefined && { token }),
  };
  return { repo: REPO, revision: "main", settings, patience: PATIENCE, ...changes };
}

export async function serve(options: Partial<HubServerOptions> = {}): Promise<HubServer> {
  return HubServer.start({ repo: REPO, files: FILES, ...options });
}

export async function pull(request: PullRequest): Promise<string> {
  return runPull(await planPull(request), request);
}

/** Files of a cache below the model's folder, with links marked. */
export function contentsOf(cacheDir: string): string[] {
  const root = join(cacheDir, "models--org--name");
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => !lstatSync(join(root, name)).isDirectory())
    .toSorted();
}

/** Names of blobs that are final. */
export function blobsOf(cacheDir: string): string[] {
  return contentsOf(cacheDir).filter((name) => /^blobs\/[0-9a-f]+$/.test(name));
}

export const blobOf = (path: string): string => `blobs/${digestOf(FILES[path]!)}`;

/** Asserts that a file has the bytes of one on the server. */
export function assertWhole(place: string, path: string): void {
  // A message: without one, Node parses this file's compiled source to make one, which may hang.
  assert.equal(readFileSync(place).equals(FILES[path]!.bytes), true, `${place} must be whole`);
}
