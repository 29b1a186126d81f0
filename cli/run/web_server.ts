import { once } from "node:events";
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { hostname } from "node:os";
import { pipeline } from "node:stream/promises";
import { CliError, EXIT } from "../platform/errors.ts";
import type { ServedFile, ServedFiles } from "./served_files.ts";
import { MODEL_INDEX } from "./served_model.ts";
import { type ByteRange, parseRange, SECURITY_HEADERS } from "./web_headers.ts";

/** Where the server listens if nobody says. */
const DEFAULT_PORT = 8080;

/** Ports that are tried from {@linkcode DEFAULT_PORT} on. */
const PORTS_TRIED = 50;

/** What {@linkcode startWebServer} serves, and where. */
export interface WebServerOptions {
  readonly files: ServedFiles;
  /** This one or none; by default the first that is free from {@linkcode DEFAULT_PORT} on. */
  readonly port?: number;
  /** @default {"127.0.0.1"} */
  readonly host?: string;
  /** Told of every request once it is answered, or given up. */
  readonly onRequest?: (request: SeenRequest) => void;
}

/** A request that came. */
export interface SeenRequest {
  readonly method: string;
  /** As it was asked for. */
  readonly url: string;
  readonly status: number;
}

/** A server that runs. */
export interface WebServer {
  readonly port: number;
  /** Where the page is. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves files from a list and nothing else, to this machine's own browsers: a request must name
 * this machine as its host, so that no site can have its own name lead here.
 *
 * @throws {CliError} With exit code 2 if the port that was asked for is taken, or not allowed.
 */
export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const { files, host = "127.0.0.1", port, onRequest } = options;
  const server = createServer((request, response) => {
    const { method = "", url = "" } = request;
    response.on("close", () => onRequest?.({ method, url, status: response.statusCode }));
    void answer(request, response, files, host);
  });
  await listen(server, host, port);
  const { port: bound } = server.address() as AddressInfo;
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return {
    port: bound,
    url: `http://${isEverywhere(host) ? "127.0.0.1" : name}:${bound}/`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listen(server: Server, host: string, port: number | undefined): Promise<void> {
  const first = port ?? DEFAULT_PORT;
  const last = port === undefined ? first + PORTS_TRIED - 1 : first;
  for (let tried = first; ; tried++) {
    try {
      server.listen(tried, host);
      await once(server, "listening");
      return;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && tried < last) continue;
      const rule = code === "EADDRINUSE" ? "the port must be free" : "it must be allowed";
      const got = code === "EADDRINUSE" ? "one in use; choose another --port" : message;
      const place = first === last ? `port ${first}` : `ports ${first} to ${last}`;
      throw new CliError(EXIT.usage, `Cannot listen on ${place} of ${host}: ${rule}, got ${got}`, {
        cause: error,
      });
    }
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: ServedFiles,
  host: string,
): Promise<void> {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
  if (!isOwnHost(request.headers.host, host)) {
    return refuse(response, 421, "This server answers only to the name of this machine.");
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return refuse(response, 405, "This server only sends files.");
  }
  const path = pathOf(request.url ?? "/");
  if (path === undefined) return refuse(response, 400, "The address is malformed.");
  const file = files.get(path === "" ? "index.html" : path);
  if (file !== undefined) return send(request, response, file);
  if (path !== MODEL_INDEX) return refuse(response, 404, "There is no such file.");
  // Not an error: the page asks every server whether it offers a model.
  response.writeHead(204, { "cache-control": "no-cache" }).end();
}

/** Path of a request without its slash in front, decoded once; undefined if it cannot be. */
function pathOf(url: string): string | undefined {
  const [path = ""] = url.split(/[?#]/, 1);
  if (!path.startsWith("/")) return undefined;
  try {
    return decodeURIComponent(path.slice(1));
  } catch {
    return undefined;
  }
}

/** Whether a request was meant for this machine: by address, or by a name that only it has. */
function isOwnHost(header: string | undefined, host: string): boolean {
  const [, name = ""] = /^(\[[\da-f:.]+\]|[^:]+)(?::\d+)?$/i.exec(header ?? "") ?? [];
  const bare = name.replaceAll(/^\[|\]$/g, "").toLowerCase();
  if (["localhost", "127.0.0.1", "::1", host.toLowerCase()].includes(bare)) return true;
  // Others reach it by address, which no name of theirs can be.
  return !isLoopback(host) && (isIP(bare) !== 0 || bare === hostname().toLowerCase());
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  file: ServedFile,
): Promise<void> {
  const etag = `"${file.sha256}"`;
  response.setHeader("etag", etag);
  response.setHeader("accept-ranges", "bytes");
  response.setHeader(
    "cache-control",
    file.isImmutable === true ? "public, max-age=31536000, immutable" : "no-cache",
  );
  const { headers, method } = request;
  if (isListed(etag, headers["if-none-match"])) return void response.writeHead(304).end();
  let range: ByteRange | undefined;
  try {
    const isCurrent = headers["if-range"] === undefined || headers["if-range"] === etag;
    if (isCurrent && method === "GET") range = parseRange(headers.range, file.bytes);
  } catch {
    response.setHeader("content-range", `bytes */${file.bytes}`);
    return refuse(response, 416, `The file has ${file.bytes} bytes.`);
  }
  const { begin, end } = range ?? { begin: 0, end: file.bytes };
  response.writeHead(range === undefined ? 200 : 206, {
    "content-type": file.type,
    "content-length": end - begin,
    ...(range !== undefined && { "content-range": `bytes ${begin}-${end - 1}/${file.bytes}` }),
  });
  if (method === "HEAD" || begin === end) return void response.end();
  if (typeof file.body !== "string") return void response.end(file.body.subarray(begin, end));
  // A reader that goes away, or a file that shrinks, ends the connection: the length is promised.
  await pipeline(createReadStream(file.body, { start: begin, end: end - 1 }), response).catch(() =>
    response.destroy(),
  );
}

function isListed(etag: string, header: string | undefined): boolean {
  const tags = header?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes(etag) || tags.includes("*");
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
  });
  response.end(`${why}\n`);
}
