// What the tests use of node:fs, node:fs/promises and node:url, for a worker of a browser: the
// server of files.ts answers for the disk.

/** A path as an address: relative ones begin at the repository. */
function addressOf(path: string | URL): string {
  return new URL(path, `${globalThis.location.origin}/files/repository/`).href;
}

/** Asks the server and waits: workers may. */
function ask(method: "GET" | "HEAD", path: string | URL): XMLHttpRequest {
  const request = new XMLHttpRequest();
  request.open(method, addressOf(path), false);
  request.responseType = "arraybuffer";
  request.send();
  return request;
}

function missing(path: string | URL): Error {
  const error = new Error(`ENOENT: no such file or directory, open '${path}'`);
  return Object.assign(error, { code: "ENOENT" });
}

/** Whether a file or folder is there. */
export function existsSync(path: string | URL): boolean {
  return ask("HEAD", path).status === 200;
}

export function readFileSync(path: string | URL): Uint8Array<ArrayBuffer>;
export function readFileSync(path: string | URL, encoding: "utf8"): string;
/** A file's bytes, or its text. */
export function readFileSync(path: string | URL, encoding?: "utf8"): unknown {
  const request = ask("GET", path);
  if (request.status !== 200) throw missing(path);
  const bytes = new Uint8Array(request.response as ArrayBuffer);
  return encoding === undefined ? bytes : new TextDecoder().decode(bytes);
}

/** Names of what a folder holds. */
export function readdirSync(path: string | URL): string[] {
  const address = addressOf(path);
  return JSON.parse(readFileSync(address.endsWith("/") ? address : `${address}/`, "utf8"));
}

export async function readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
export async function readFile(path: string | URL, encoding: "utf8"): Promise<string>;
/** The same, later. */
export async function readFile(path: string | URL, encoding?: "utf8"): Promise<unknown> {
  const response = await fetch(addressOf(path));
  if (!response.ok) throw missing(path);
  return encoding === undefined ? new Uint8Array(await response.arrayBuffer()) : response.text();
}

/** A file to read, and to close. */
export async function open(path: string | URL): Promise<{
  readonly readFile: () => Promise<Uint8Array<ArrayBuffer>>;
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}> {
  const close = () => Promise.resolve();
  return { readFile: () => readFile(path), close, [Symbol.asyncDispose]: close };
}

/** Addresses are the paths here. */
export function fileURLToPath(url: string | URL): string {
  return String(url);
}
