import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that came. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
}

/** Answers in place of the server, if it returns true. */
export type Fault = (
  request: { readonly path: string; readonly method: string; readonly begin: number },
  response: ServerResponse,
  bytes: Uint8Array | undefined,
) => boolean;

/** Types that browsers insist on. */
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  json: "application/json",
};

/** A web server with files in memory, as good or as bad as a test wants it. */
export class FileServer implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly files: Map<string, Uint8Array>;
  fault: Fault | undefined;
  /** Whether it serves ranges, and names versions. */
  hasRanges = true;
  hasTags = true;
  /** Sent with every file. */
  headers: Readonly<Record<string, string>> = {};
  readonly #server = createServer((request, response) => this.#answer(request, response));

  private constructor(files: Readonly<Record<string, Uint8Array>>) {
    this.files = new Map(Object.entries(files));
  }

  static async start(files: Readonly<Record<string, Uint8Array>>): Promise<FileServer> {
    const server = new FileServer(files);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Requests for a file's bytes. */
  gets(path: string): SeenRequest[] {
    return this.requests.filter((each) => each.method === "GET" && each.path === path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer({ method = "GET", url = "", headers }: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(url, this.url).pathname.slice(1));
    const { range, "if-range": ifRange } = headers;
    this.requests.push({ method, path, range });
    const bytes = this.files.get(path);
    const tag = bytes && `"${createHash("sha1").update(bytes).digest("hex")}"`;
    const asked = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const begin = this.hasRanges && (ifRange === undefined || ifRange === tag) ? asked : 0;
    if (this.fault?.({ path, method, begin }, response, bytes) === true) return;
    if (bytes === undefined) {
      response.writeHead(404).end("no such file");
      return;
    }
    const ending = path.endsWith("/") ? "html" : path.slice(path.lastIndexOf(".") + 1);
    const type = TYPES[ending] ?? "application/octet-stream";
    const all = { "content-type": type, "cache-control": "no-cache", ...this.headers };
    for (const [name, value] of Object.entries(all)) response.setHeader(name, value);
    if (this.hasTags) response.setHeader("etag", tag!);
    if (begin > 0) {
      response.setHeader("content-range", `bytes ${begin}-${bytes.length - 1}/${bytes.length}`);
    }
    response.writeHead(begin > 0 ? 206 : 200, { "content-length": bytes.length - begin });
    response.end(method === "HEAD" ? undefined : bytes.subarray(begin));
  }
}

/** Breaks off the first `times` downloads of a file after some bytes each. */
export function cutting(path: string, length: number, times: number): Fault {
  let count = 0;
  return (request, response, bytes) => {
    if (request.path !== path || request.method !== "GET" || count === times) return false;
    count += 1;
    const { begin } = request;
    const all = bytes!;
    const tag = `"${createHash("sha1").update(all).digest("hex")}"`;
    response.writeHead(begin > 0 ? 206 : 200, {
      "content-length": all.length - begin,
      etag: tag,
      ...(begin > 0 && { "content-range": `bytes ${begin}-${all.length - 1}/${all.length}` }),
    });
    // What is under way when a connection breaks may be lost: let it arrive.
    response.write(all.subarray(begin, begin + length), () => {
      setTimeout(() => response.destroy(), 30);
    });
    return true;
  };
}
