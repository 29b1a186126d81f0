import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { CliError } from "../../cli/platform/errors.ts";
import { pageFiles, type ServedFiles } from "../../cli/run/served_files.ts";
import { serveModel } from "../../cli/run/served_model.ts";
import { parseRange } from "../../cli/run/web_headers.ts";
import { startWebServer, type WebServer } from "../../cli/run/web_server.ts";
import { COMMAND, tenure, writeSmallModel } from "./model_support.ts";
import { prepareFew, temporaryFolder, trainTiny } from "./run_support.ts";

const folder = temporaryFolder();
const page = join(folder, "page");

/** Bytes of a file that is sent in parts. */
const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);

before(() => {
  mkdirSync(join(page, "assets"), { recursive: true });
  writeFileSync(join(page, "index.html"), "<!doctype html><title>page</title>");
  writeFileSync(join(page, "assets", "main-AbCd_123.js"), "export {};");
  writeFileSync(join(page, "weights.safetensors"), BYTES);
  writeFileSync(join(folder, "secret.txt"), "not for the page");
  symlinkSync(join(folder, "secret.txt"), join(page, "link.txt"));
  symlinkSync(folder, join(page, "out"));
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Asks a server exactly what is written here; fetch() would tidy up the path. */
async function ask(
  { port }: WebServer,
  path: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const sent = request({ host: "127.0.0.1", port, path, method, headers, agent: false }).end();
  const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) };
}

async function withServer(
  work: (server: WebServer) => Promise<void>,
  options: { files?: ServedFiles; host?: string } = {},
): Promise<void> {
  const { files = await pageFiles(page), host = "127.0.0.1" } = options;
  const server = await startWebServer({ files, host, port: 0 });
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

test("every answer carries the headers that keep the page to itself", async () => {
  await withServer(async (server) => {
    for (const path of ["/", "/assets/main-AbCd_123.js", "/none", "/%zz"]) {
      const { headers } = await ask(server, path);
      const policy = String(headers["content-security-policy"]);
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
      assert.match(policy, /connect-src 'self'.*require-trusted-types-for 'script'$/);
      assert.doesNotMatch(policy, /unsafe|https?:|\*/);
      assert.equal(headers["cross-origin-opener-policy"], "same-origin", path);
      assert.equal(headers["cross-origin-embedder-policy"], "require-corp");
      assert.equal(headers["cross-origin-resource-policy"], "same-origin");
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["referrer-policy"], "no-referrer");
      assert.match(String(headers["permissions-policy"]), /camera=\(\)/);
    }
  });
});

test("files come with their types, and say how long they may be kept", async () => {
  await withServer(async (server) => {
    const index = await ask(server, "/?from=mail#top");
    assert.equal(index.status, 200);
    assert.equal(index.headers["content-type"], "text/html; charset=utf-8");
    assert.equal(index.headers["cache-control"], "no-cache");
    const script = await ask(server, "/assets/main-AbCd_123.js");
    assert.equal(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert.match(String(script.headers["cache-control"]), /immutable/);
    const weights = await ask(server, "/weights.safetensors", { method: "HEAD" });
    assert.equal(weights.headers["content-type"], "application/octet-stream");
    assert.deepEqual([weights.headers["content-length"], weights.body.length], ["1000", 0]);
    const etag = String(weights.headers["etag"]);
    assert.equal(etag, `"${createHash("sha256").update(BYTES).digest("hex")}"`);
    const again = await ask(server, "/weights.safetensors", { headers: { "if-none-match": etag } });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
  });
});

test("no path leads out of the page's files, however it is written", async () => {
  const paths = [
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/%2e%2e%2fsecret.txt",
    "/assets/../../secret.txt",
    "/assets/..%5c..%5csecret.txt",
    "//secret.txt",
    "/%252e%252e/secret.txt",
    "/link.txt",
    "/out/secret.txt",
    `/${join(folder, "secret.txt")}`,
    `/index.html%00.txt`,
    "/assets",
    "/assets/",
  ];
  await withServer(async (server) => {
    for (const path of paths) {
      const { status, body } = await ask(server, path);
      assert.equal(status, 404, path);
      assert.doesNotMatch(body.toString(), /not for the page/);
    }
    assert.equal((await ask(server, "/%zz")).status, 400);
    assert.equal((await ask(server, "http://127.0.0.1/secret.txt")).status, 400);
  });
});

test("only GET and HEAD are answered", async () => {
  await withServer(async (server) => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await ask(server, "/", { method });
      assert.deepEqual([status, headers["allow"]], [405, "GET, HEAD"], method);
    }
  });
});

test("a request for another host's name is refused, so that no site can lead here", async () => {
  await withServer(async (server) => {
    const statusFor = async (host: string) =>
      (await ask(server, "/", { headers: { host } })).status;
    for (const host of ["127.0.0.1", "localhost:1", `LOCALHOST:${server.port}`, "[::1]:80"]) {
      assert.equal(await statusFor(host), 200, host);
    }
    const foreign = [
      "evil.example",
      "localhost.evil.example",
      "10.0.0.1",
      hostname(),
      "a@localhost",
    ];
    for (const host of foreign) assert.equal(await statusFor(host), 421, `"${host}"`);
  });
});

test("a server for a network answers to its addresses and its name, and no other", async () => {
  await withServer(
    async (server) => {
      const statusFor = async (host: string) =>
        (await ask(server, "/", { headers: { host } })).status;
      assert.equal(await statusFor(`10.0.0.1:${server.port}`), 200);
      assert.equal(await statusFor(hostname()), 200);
      assert.equal(await statusFor("evil.example"), 421);
      assert.equal(server.url, `http://127.0.0.1:${server.port}/`);
    },
    { host: "0.0.0.0" },
  );
});

test("a part of a file is sent alone", async () => {
  await withServer(async (server) => {
    const parts: readonly (readonly [string, number, number])[] = [
      ["bytes=0-0", 0, 1],
      ["bytes=10-19", 10, 20],
      ["bytes=990-", 990, 1000],
      ["bytes=-5", 995, 1000],
      ["bytes=900-5000", 900, 1000],
      ["bytes=-5000", 0, 1000],
    ];
    for (const [range, begin, end] of parts) {
      const { status, headers, body } = await ask(server, "/weights.safetensors", {
        headers: { range },
      });
      assert.equal(status, 206, range);
      assert.equal(headers["content-range"], `bytes ${begin}-${end - 1}/1000`);
      assert.deepEqual(new Uint8Array(body), BYTES.subarray(begin, end));
    }
    for (const range of ["bytes=1000-", "bytes=-0"]) {
      const { status, headers } = await ask(server, "/weights.safetensors", { headers: { range } });
      assert.deepEqual([status, headers["content-range"]], [416, "bytes */1000"], range);
    }
    for (const range of ["bytes=5-1", "bytes=0-1,4-5", "lines=1-2", "bytes=x-"]) {
      assert.equal((await ask(server, "/weights.safetensors", { headers: { range } })).status, 200);
    }
  });
});

test("a part of a file that has changed since is not sent: the whole is", async () => {
  await withServer(async (server) => {
    const range = "bytes=0-9";
    const etag = String((await ask(server, "/weights.safetensors")).headers["etag"]);
    const statusFor = async (ifRange: string) =>
      (await ask(server, "/weights.safetensors", { headers: { range, "if-range": ifRange } }))
        .status;
    assert.equal(await statusFor(etag), 206);
    assert.equal(await statusFor(`W/${etag}`), 200);
    assert.equal(await statusFor('"another"'), 200);
    assert.equal(await statusFor("Wed, 21 Oct 2015 07:28:00 GMT"), 200);
  });
});

test("parseRange() reads what it can, and takes the rest for the whole file", () => {
  assert.equal(parseRange(undefined, 10), undefined);
  assert.deepEqual(parseRange("bytes = 2 - 3", 10), { begin: 2, end: 4 });
  assert.throws(() => parseRange("bytes=0-", 0), RangeError);
});

test("without a model, the page's question for one is answered with nothing", async () => {
  await withServer(async (server) => {
    const { status, body } = await ask(server, "/model/index.json");
    assert.deepEqual([status, body.length], [204, 0]);
  });
});

test("of a run, the files of its best checkpoint are served, and their list", async () => {
  const [dataFolder, runFolder] = [join(folder, "data"), join(folder, "run")];
  await prepareFew(dataFolder);
  await trainTiny({ dataFolder, runFolder });
  const model = await serveModel(runFolder);
  assert.equal(model.name, "run");
  assert.match(model.path, /run\/checkpoint-\d+$/);
  await withServer(
    async (server) => {
      const { headers, body } = await ask(server, "/model/index.json");
      assert.match(String(headers["content-type"]), /^application\/json/);
      const index = JSON.parse(body.toString()) as {
        name: string;
        autoload: boolean;
        files: { path: string; bytes: number; sha256: string }[];
      };
      assert.deepEqual([index.name, index.autoload], ["run", true]);
      const names = index.files.map(({ path }) => path);
      for (const name of [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "trainer_state.json",
      ]) {
        assert.ok(names.includes(name), name);
      }
      assert.ok(!names.includes("optimizer.safetensors"));
      for (const { path, bytes, sha256 } of index.files) {
        const file = await ask(server, `/model/${path}`);
        assert.equal(file.body.length, bytes, path);
        assert.equal(createHash("sha256").update(file.body).digest("hex"), sha256, path);
      }
      for (const hidden of ["optimizer.safetensors", "../log.jsonl", "..%2flog.jsonl"]) {
        assert.equal((await ask(server, `/model/${hidden}`)).status, 404, hidden);
      }
    },
    { files: model.files },
  );
});

test("a file that shrinks while it is served ends the connection, not the server", async () => {
  const path = await writeSmallModel(join(folder, "shrinking"));
  const { files } = await serveModel(path);
  truncateSync(join(path, "model.safetensors"), 100);
  await withServer(
    async (server) => {
      await assert.rejects(ask(server, "/model/model.safetensors"), /aborted|hang up|ECONNRESET/);
      assert.equal((await ask(server, "/model/config.json")).status, 200);
    },
    { files },
  );
});

test("of a GGUF file's folder, only that file is served", async () => {
  const path = join(folder, "model.gguf");
  writeFileSync(path, BYTES);
  const { name, files } = await serveModel(path);
  assert.equal(name, "model");
  assert.deepEqual([...files.keys()].toSorted(), ["model/index.json", "model/model.gguf"]);
});

test("what is no whole model is refused with the remedy", async () => {
  const adapter = join(folder, "adapter");
  mkdirSync(adapter);
  writeFileSync(join(adapter, "adapter_config.json"), "{}");
  const empty = join(folder, "empty");
  mkdirSync(empty);
  const cases: readonly (readonly [string, RegExp])[] = [
    [adapter, /got an adapter; merge it with tenure export .* --merge/],
    [empty, /got no files; Choose the folder/],
    [join(folder, "nowhere"), /it must exist/],
    [join(folder, "secret.txt"), /must be a folder or a GGUF file.*tenure export/],
  ];
  for (const [path, message] of cases) {
    await assert.rejects(
      serveModel(path),
      (error: unknown) =>
        error instanceof CliError && error.exitCode === 5 && message.test(error.message),
      path,
    );
  }
});

test("a port that is taken is refused if it was asked for, else the next is taken", async () => {
  const files = await pageFiles(page);
  await withServer(async ({ port }) => {
    await assert.rejects(startWebServer({ files, port }), /Cannot listen on port \d+ .*in use/);
  });
  const first = await startWebServer({ files });
  const second = await startWebServer({ files });
  assert.ok(second.port > first.port && first.port >= 8080);
  await Promise.all([first.close(), second.close()]);
});

test("tenure web says where the page is, and ends when it is told to", async () => {
  const child = spawn(process.execPath, [COMMAND, "web", "--port", "0"]);
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes("Ctrl-C")) child.kill("SIGINT");
  });
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number];
  // In a clone that was not built yet, it says how to.
  if (code === 0) assert.match(said, /^http:\/\/127\.0\.0\.1:\d+\/\nThe page, without a model/);
  else assert.match(said, /it must be built, .*npm run build:web/);
});

test("tenure web --help teaches", () => {
  const { status, stdout } = tenure(["web", "--help"]);
  assert.equal(status, 0);
  assert.match(stdout, /--model <path>[\s\S]*Examples:\n {2}\$ tenure web/);
});
