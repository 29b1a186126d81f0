import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The commit that the server's model is at. */
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** A file of the model on the server. */
export interface ServedFile {
  readonly bytes: Uint8Array;
  /** Whether it lies in large file storage: named by SHA-256, sent from another host. */
  readonly isLarge: boolean;
}

/** A request for the bytes of a file. */
export interface FileRequest {
  readonly path: string;
  /** Count of requests for these bytes, this one included. */
  readonly attempt: number;
  readonly begin: number;
  readonly bytes: Uint8Array;
  readonly response: ServerResponse;
}

/** A way to fail at a request for bytes: true if it has answered. */
export type Fault = (request: FileRequest) => boolean | Promise<boolean>;

/** What a request was. */
export interface SeenRequest {
  readonly host: "hub" | "store";
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** What {@linkcode HubServer.start} serves. */
export interface HubServerOptions {
  readonly repo: string;
  readonly files: Readonly<Record<string, ServedFile>>;
  readonly fault?: Fault;
  /** Answers a request of the API instead; false if it does not. */
  readonly onApi?: (url: URL, response: ServerResponse) => boolean;
  /** Entries of the listing beside those of the files. */
  readonly entries?: readonly unknown[];
  /** Entries on a page of the listing. @default {2} */
  readonly pageSize?: number;
  /** Token without which the hub refuses. */
  readonly token?: string;
}

/**
 * A hub on this machine, as far as downloads use it: the API of models and trees, in pages;
 * `resolve` with the headers of the hub; large files on a second server that links lead to.
 */
export class HubServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  /** Bytes sent of each path. */
  readonly sent = new Map<string, number>();
  fault: Fault | undefined;
  readonly #options: HubServerOptions;
  readonly #hub: Server;
  readonly #store: Server;
  readonly #attempts = new Map<string, number>();

  private constructor(options: HubServerOptions) {
    this.#options = options;
    this.fault = options.fault;
    this.#hub = createServer((request, response) => void this.#onHub(request, response));
    this.#store = createServer((request, response) => void this.#onStore(request, response));
  }

  static async start(options: HubServerOptions): Promise<HubServer> {
    const server = new HubServer(options);
    for (const each of [server.#hub, server.#store]) {
      await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
    }
    return server;
  }

  get endpoint(): string {
    return addressOf(this.#hub);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [this.#hub, this.#store]) {
      const closed = new Promise((resolve) => each.close(resolve));
      each.closeAllConnections();
      await closed;
    }
  }

  /** Bytes sent of a path since the last call. */
  takeSent(path: string): number {
    const bytes = this.sent.get(path) ?? 0;
    this.sent.delete(path);
    return bytes;
  }

  async #onHub(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.endpoint);
    this.#see("hub", request);
    const { repo, token, onApi } = this.#options;
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      response.writeHead(401, { "x-error-code": "GatedRepo" }).end("refused");
      return;
    }
    if (onApi?.(url, response) === true) return;
    if (url.pathname.startsWith(`/api/models/${repo}/revision/`)) {
      const [revision = ""] = url.pathname.split("/").slice(-1);
      if (!["main", COMMIT, "refs%2Fpr%2F1"].includes(revision)) {
        response.writeHead(404, { "x-error-code": "RevisionNotFound" }).end("{}");
      } else sendJson(response, { _id: "1", id: repo, sha: COMMIT });
    } else if (url.pathname === `/api/models/${repo}/tree/${COMMIT}`) {
      this.#sendTree(url, response);
    } else if (url.pathname.startsWith(`/${repo}/resolve/${COMMIT}/`)) {
      const path = decodeURIComponent(url.pathname.slice(`/${repo}/resolve/${COMMIT}/`.length));
      await this.#resolve(path, request, response);
    } else response.writeHead(404, { "x-error-code": "RepoNotFound" }).end("{}");
  }

  async #resolve(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = this.#options.files[path];
    if (file === undefined) {
      response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
      return;
    }
    const digest = digestOf(file);
    response.setHeader("x-repo-commit", COMMIT);
    if (!file.isLarge) {
      response.setHeader("etag", `"${digest}"`);
      await this.#send(path, request, response);
      return;
    }
    response
      .writeHead(302, {
        location: `${addressOf(this.#store)}/${encodeURIComponent(path)}?signature=s`,
        "x-linked-etag": `"${digest}"`,
        "x-linked-size": file.bytes.length,
      })
      .end();
  }

  async #onStore(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#see("store", request);
    const { pathname } = new URL(request.url!, addressOf(this.#store));
    await this.#send(decodeURIComponent(pathname.slice(1)), request, response);
  }

  /** Sends a file or a range of it, or fails at it. */
  async #send(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { bytes } = this.#options.files[path]!;
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const begin = Number(range?.[1] ?? 0);
    const attempt = (this.#attempts.get(path) ?? 0) + 1;
    this.#attempts.set(path, attempt);
    const write = response.write.bind(response);
    response.write = ((chunk: Uint8Array, ...rest: []) => {
      this.sent.set(path, (this.sent.get(path) ?? 0) + chunk.length);
      return write(chunk, ...rest);
    }) as typeof response.write;
    if ((await this.fault?.({ path, attempt, begin, bytes, response })) === true) return;
    if (range !== null && begin >= bytes.length) {
      response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
      return;
    }
    response.writeHead(range === null ? 200 : 206, {
      "content-length": bytes.length - begin,
      ...(range !== null && {
        "content-range": `bytes ${begin}-${bytes.length - 1}/${bytes.length}`,
      }),
    });
    if (begin < bytes.length) response.write(bytes.subarray(begin));
    response.end();
  }

  #sendTree(url: URL, response: ServerResponse): void {
    const { files, entries = [], pageSize = 2 } = this.#options;
    const all = [
      { type: "directory", oid: "0".repeat(40), size: 0, path: "folder" },
      ...Object.entries(files).map(([path, file]) => entryOf(path, file)),
      ...entries,
    ];
    const begin = Number(url.searchParams.get("cursor") ?? 0);
    if (begin + pageSize < all.length) {
      url.searchParams.set("cursor", `${begin + pageSize}`);
      response.setHeader("link", `<${url.href}>; rel="next"`);
    }
    sendJson(response, all.slice(begin, begin + pageSize));
  }

  #see(host: SeenRequest["host"], { url = "", headers }: IncomingMessage): void {
    const { range, authorization } = headers;
    this.requests.push({ host, url, range, authorization });
  }
}

/** What the hub's listing says of a file. */
export function entryOf(path: string, file: ServedFile): object {
  const size = file.bytes.length;
  const digest = digestOf(file);
  if (!file.isLarge) return { type: "file", oid: digest, size, path };
  const lfs = { oid: digest, size, pointerSize: 130 };
  return { type: "file", oid: "f".repeat(40), size, path, lfs };
}

/** SHA-256 of large files, git's SHA-1 of others. */
export function digestOf({ bytes, isLarge }: ServedFile): string {
  if (isLarge) return createHash("sha256").update(bytes).digest("hex");
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** Faults, for the first `times` requests of a path each; then the server is well. */
export const FAULTS = {
  /** Sends some bytes of what is asked for, then drops the connection. */
  cut: (path: string, length: number, times = 1) =>
    of(path, times, ({ bytes, begin, response }) => {
      sendHead(response, bytes, begin);
      // What is under way when a connection breaks may be lost: let it arrive.
      response.write(bytes.subarray(begin, begin + length), () => {
        setTimeout(() => response.destroy(), length === 0 ? 0 : 50);
      });
    }),
  /** Flips one bit of the last byte. */
  flip: (path: string, times = 1) =>
    of(path, times, ({ bytes, begin, response }) => {
      sendHead(response, bytes, begin);
      const wrong = bytes.slice(begin);
      wrong[wrong.length - 1]! ^= 1;
      response.write(wrong);
      response.end();
    }),
  /** Ends early, without a length that would tell. */
  truncate: (path: string, length: number, times = 1) =>
    of(path, times, ({ bytes, begin, response }) => {
      response.writeHead(begin > 0 ? 206 : 200, begin > 0 ? contentRange(bytes, begin) : {});
      response.write(bytes.subarray(begin, begin + length));
      response.end();
    }),
  /** Sends more bytes than there are. */
  extend: (path: string, times = 1) =>
    of(path, times, ({ bytes, begin, response }) => {
      response.writeHead(200);
      response.write(bytes.subarray(begin));
      response.write(Uint8Array.of(7));
      response.end();
    }),
  /** Sends the whole file, whatever was asked for. */
  ignoreRange: (path: string, times = 1) =>
    of(path, times, ({ bytes, response }) => {
      sendHead(response, bytes, 0);
      response.write(bytes);
      response.end();
    }),
  /** Sends another range than the one that was asked for. */
  shiftRange: (path: string, times = 1) =>
    of(path, times, ({ bytes, response }) => {
      response.writeHead(206, { "content-range": `bytes 0-9/${bytes.length}` });
      response.write(bytes.subarray(0, 10));
      response.end();
    }),
  /** Sends some bytes and no more, but leaves the connection open. */
  stall: (path: string, length: number, times = 1) =>
    of(path, times, ({ bytes, begin, response }) => {
      sendHead(response, bytes, begin);
      response.write(bytes.subarray(begin, begin + length));
    }),
  /** Answers with a status. */
  status: (
    path: string,
    status: number,
    options: { headers?: Record<string, string>; times?: number } = {},
  ) =>
    of(path, options.times ?? 1, ({ response }) => {
      response.writeHead(status, options.headers ?? {}).end("no");
    }),
} as const satisfies Record<string, (path: string, ...rest: never[]) => Fault>;

function of(path: string, times: number, act: (request: FileRequest) => void): Fault {
  let count = 0;
  return (request) => {
    if (request.path !== path || count === times) return false;
    count += 1;
    act(request);
    return true;
  };
}

function sendHead(response: ServerResponse, bytes: Uint8Array, begin: number): void {
  response.writeHead(begin > 0 ? 206 : 200, {
    "content-length": bytes.length - begin,
    ...(begin > 0 && contentRange(bytes, begin)),
  });
}

function contentRange({ length }: Uint8Array, begin: number): Record<string, string> {
  return { "content-range": `bytes ${begin}-${length - 1}/${length}` };
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
