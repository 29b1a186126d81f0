import { readdir, readFile, stat } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, sep } from "node:path";
import { ROOT } from "./bundle.ts";

/** Folders that tests may read, by their name under `/files/`. */
const FOLDERS: Readonly<Record<string, string>> = {
  repository: ROOT,
  shared: join(ROOT, "..", "shared", sep),
};

/** A server for a test's page. */
export interface TestServer {
  readonly origin: string;
  readonly close: () => Promise<void>;
}

interface Answer {
  readonly type: string;
  readonly body: string | Uint8Array;
}

/**
 * Serves bundled tests, the page that runs them and the files they read, to this machine only.
 *
 * @param files Code by file name.
 */
export async function serveTests(files: ReadonlyMap<string, string>): Promise<TestServer> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    answerTo(decodeURIComponent(pathname), files).then(
      (answer) => send(response, answer),
      () => send(response, undefined),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function send(response: ServerResponse, answer: Answer | undefined): void {
  response.writeHead(answer === undefined ? 404 : 200, {
    "content-type": answer?.type ?? "text/plain",
    "cache-control": "no-store",
  });
  response.end(answer?.body); // Node leaves the body out where the request was HEAD
}

async function answerTo(
  path: string,
  files: ReadonlyMap<string, string>,
): Promise<Answer | undefined> {
  if (path === "/") {
    const body = `<!doctype html><title>Tests</title><script type="module" src="/bundle/page.js"></script>`;
    return { type: "text/html", body };
  }
  const [, kind, folder = "", ...rest] = path.split("/");
  if (kind === "bundle") {
    const body = files.get(folder);
    return body === undefined ? undefined : { type: "text/javascript", body };
  }
  const root = FOLDERS[folder];
  if (kind !== "files" || root === undefined) return undefined;
  const file = join(root, ...rest);
  // What lies beside the folders is nobody's business.
  if (!file.startsWith(root)) return undefined;
  if ((await stat(file)).isDirectory()) {
    return { type: "application/json", body: JSON.stringify(await readdir(file)) };
  }
  return { type: "application/octet-stream", body: await readFile(file) };
}
