import assert from "node:assert/strict";
import { test } from "node:test";
import type { SaveOptions } from "../../web/engine/api.ts";
import { openModelStore } from "../../web/store/model_store.ts";
import { cutting, type Fault, FileServer } from "./file_server.ts";
import { MemoryOrigin } from "./memory_origin.ts";
import {
  bytesOf,
  failure,
  listingOf,
  manifestOf,
  modelFiles,
  sha256Of,
  textBytes,
} from "./model_files.ts";

const WEIGHTS = "m/model.safetensors";

/** The same files in a folder of the server. */
function inFolder(files: Readonly<Record<string, Uint8Array>>, folder = "m/") {
  return Object.fromEntries(Object.entries(files).map(([path, bytes]) => [folder + path, bytes]));
}

/** A model on the server, with its listing unless told otherwise. */
async function serve({ isListed = true, bytes = 300_000 } = {}): Promise<FileServer> {
  const files = modelFiles({ bytes });
  const listing = isListed ? { "index.json": listingOf(files) } : {};
  return FileServer.start(inFolder({ ...files, ...listing }));
}

/** Saves a model of a server; waits between attempts are short, so that tests are. */
function save(url: string, options: SaveOptions = {}, origin = new MemoryOrigin()) {
  const store = openModelStore({ ...origin.options, retryMs: 2, idleMs: 400 });
  return store.save({ kind: "url", url }, options);
}

/** Refuses each request of a file, the first `times` of them. */
function answering(path: string, status: number, times = Infinity): Fault {
  let count = 0;
  return (request, response) => {
    if (request.path !== path || count++ >= times) return false;
    response.writeHead(status).end("no");
    return true;
  };
}

test("a listed folder is downloaded with a request a file, and checked against the list", async () => {
  await using server = await serve();
  const origin = new MemoryOrigin();
  const info = await save(`${server.url}m`, {}, origin);
  assert.equal(info.name, "listed");
  const expected = modelFiles({ bytes: 300_000 });
  assert.deepEqual(
    info.files.map(({ path, sha256 }) => [path, sha256]),
    Object.entries(expected).map(([path, bytes]) => [path, sha256Of(bytes)]),
  );
  const gets = server.requests.filter(({ method }) => method === "GET").map(({ path }) => path);
  assert.deepEqual(
    gets.toSorted(),
    ["index.json", ...Object.keys(expected)].map((path) => `m/${path}`).toSorted(),
  );
  // It is the same model as one that is chosen from a disk.
  const store = openModelStore(origin.options);
  const files = Object.entries(expected).map(([path, bytes]) => ({
    path,
    blob: new Blob([bytes]),
  }));
  assert.equal((await store.save({ kind: "files", files })).id, info.id);
});

test("a download that breaks off goes on where it was", async () => {
  await using server = await serve();
  server.fault = cutting(WEIGHTS, 70_000, 3);
  const info = await save(`${server.url}m/`);
  assert.equal(
    info.files.at(-1)!.sha256,
    sha256Of(modelFiles({ bytes: 300_000 })["model.safetensors"]!),
  );
  const ranges = server.gets(WEIGHTS).map(({ range }) => range);
  assert.equal(ranges.length, 4);
  assert.equal(ranges[0], undefined);
  // What arrived before the break is not asked for again.
  ranges.slice(1).forEach((range, index) => {
    assert.equal(range, `bytes=${70_000 * (index + 1)}-`);
  });
});

test("a file that changes during its download is fetched anew, not pieced together", async () => {
  await using server = await serve({ isListed: false });
  const cut = cutting(WEIGHTS, 70_000, 1);
  const other = bytesOf(250_000, 5);
  server.fault = (request, response, bytes) => {
    const hasCut = cut(request, response, bytes);
    if (hasCut) setTimeout(() => server.files.set(WEIGHTS, other), 10);
    return hasCut;
  };
  const origin = new MemoryOrigin();
  const store = openModelStore({ ...origin.options, retryMs: 100 });
  const info = await store.save({ kind: "url", url: `${server.url}m/` });
  const weights = info.files.at(-1)!;
  assert.deepEqual([weights.bytes, weights.sha256], [250_000, sha256Of(other)]);
});

for (const lack of ["hasRanges", "hasTags"] as const) {
  test(`a server without ${lack === "hasRanges" ? "ranges" : "entity tags"} sends a broken file anew`, async () => {
    await using server = await serve();
    server[lack] = false;
    let count = 0;
    server.fault = ({ path, method }, response, bytes) => {
      if (path !== WEIGHTS || method !== "GET" || count++ > 0) return false;
      response.writeHead(200, { "content-length": bytes!.length });
      response.write(bytes!.subarray(0, 70_000), () => setTimeout(() => response.destroy(), 30));
      return true;
    };
    const info = await save(`${server.url}m/`);
    assert.equal(info.files.at(-1)!.bytes, 300_000);
    assert.equal(server.gets(WEIGHTS).length, 2);
  });
}

test("a server that sends another part than was asked for is asked for the whole", async () => {
  await using server = await serve();
  const cut = cutting(WEIGHTS, 70_000, 1);
  let shifted = 0;
  server.fault = (request, response, bytes) => {
    if (request.path === WEIGHTS && request.begin > 0 && shifted++ === 0) {
      response.writeHead(206, { "content-range": "bytes 0-9/300000" }).end(bytes!.subarray(0, 10));
      return true;
    }
    return cut(request, response, bytes);
  };
  const info = await save(`${server.url}m/`);
  assert.equal(info.files.at(-1)!.bytes, 300_000);
  assert.deepEqual(
    server.gets(WEIGHTS).map(({ range }) => range !== undefined),
    [false, true, false],
  );
});

test("a server that stops sending is given up on, and asked again", async () => {
  await using server = await serve();
  let count = 0;
  server.fault = ({ path, method }, response, bytes) => {
    if (path !== WEIGHTS || method !== "GET" || count++ > 0) return false;
    response.writeHead(200, { "content-length": bytes!.length });
    response.write(bytes!.subarray(0, 1000));
    return true;
  };
  assert.equal((await save(`${server.url}m/`)).files.at(-1)!.bytes, 300_000);
});

test("a server that is busy for a moment is asked again, one that refuses is not", async () => {
  await using server = await serve();
  server.fault = answering(WEIGHTS, 503, 2);
  await save(`${server.url}m/`);
  assert.equal(server.gets(WEIGHTS).length, 3);
  for (const [status, kind, requests] of [
    [403, "network", 1],
    [404, "corrupt", 1],
    [503, "network", 5],
  ] as const) {
    server.requests.length = 0;
    server.fault = answering(WEIGHTS, status);
    const origin = new MemoryOrigin();
    const error = await failure(save(`${server.url}m/`, {}, origin));
    assert.equal(error.kind, kind);
    assert.match(error.message, new RegExp(`model\\.safetensors".*${status}`));
    assert.equal(server.gets(WEIGHTS).length, requests);
    assert.deepEqual([origin.files(), origin.locks.held()], [{}, []]);
  }
});

test("a server that cannot be reached is a matter of the network", async () => {
  const server = await serve();
  const { url } = server;
  await server[Symbol.asyncDispose]();
  const error = await failure(save(url));
  assert.equal(error.kind, "network");
  assert.match(error.remedy, /connection/);
});

test("bytes that are not those of the list are refused by name, and nothing is kept", async () => {
  await using server = await serve();
  const origin = new MemoryOrigin();
  const wrong = server.files.get(WEIGHTS)!.slice();
  wrong[100]! ^= 1;
  server.files.set(WEIGHTS, wrong);
  const flipped = await failure(save(`${server.url}m/`, {}, origin));
  assert.equal(flipped.kind, "corrupt");
  assert.match(flipped.message, /"model\.safetensors".*SHA-256/);
  server.files.set(WEIGHTS, wrong.slice(0, -1));
  const shorter = await failure(save(`${server.url}m/`, {}, origin));
  assert.match(shorter.message, /"model\.safetensors".*300000 bytes.*got 299999/);
  assert.deepEqual([origin.files(), origin.usage], [{}, 0]);
});

test("a model too large is refused before its weights are asked for", async () => {
  for (const isListed of [true, false]) {
    await using server = await serve({ isListed });
    const error = await failure(save(`${server.url}m/`, {}, new MemoryOrigin(200_000)));
    assert.equal(error.kind, "quota");
    assert.deepEqual(server.gets(WEIGHTS), []);
  }
});

test("a folder without a list is searched for the names of models' files", async () => {
  const files = {
    ...modelFiles({ bytes: 1000 }),
    "model.safetensors.index.json": textBytes({
      weight_map: { a: "model-1.safetensors", b: "model-2.safetensors", c: "model-1.safetensors" },
    }),
    "model-1.safetensors": bytesOf(2000, 3),
    "model-2.safetensors": bytesOf(3000, 4),
    "notes.txt": textBytes("hello"),
  } as Record<string, Uint8Array<ArrayBuffer>>;
  delete files["model.safetensors"];
  await using server = await FileServer.start(inFolder(files, "some model/"));
  const info = await save(`${server.url}some%20model`);
  assert.equal(info.name, "some model");
  assert.deepEqual(info.files.map(({ path }) => path).toSorted(), [
    "config.json",
    "model-1.safetensors",
    "model-2.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
  ]);
  server.files.delete("some model/model-2.safetensors");
  const error = await failure(save(`${server.url}some%20model/`));
  assert.equal(error.kind, "corrupt");
  assert.match(error.message, /"model-2\.safetensors" must be there/);
});

test("a server that answers everything with a page has no model", async () => {
  await using server = await FileServer.start({});
  server.fault = (_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<!doctype html>");
    return true;
  };
  for (const url of [server.url, `${server.url}model.gguf`]) {
    const error = await failure(save(url));
    assert.equal(error.kind, "network");
    assert.match(error.remedy, /address/);
  }
});

test("a server without HEAD is asked otherwise", async () => {
  await using server = await serve({ isListed: false });
  server.fault = ({ method }, response) => {
    if (method !== "HEAD") return false;
    response.writeHead(405).end();
    return true;
  };
  assert.equal((await save(`${server.url}m/`)).files.length, 3);
});

test("a single file is a model, and llama2.c's comes with its tokenizer", async () => {
  await using server = await FileServer.start({
    "a/model-Q8_0.gguf": bytesOf(5000),
    "a/tokenizer.bin": bytesOf(10),
    "b/stories.bin": bytesOf(400),
    "b/tok512.bin": bytesOf(20),
  });
  const gguf = await save(`${server.url}a/model-Q8_0.gguf?token=1#part`);
  assert.deepEqual(
    [gguf.name, gguf.files.map(({ path }) => path)],
    ["model-Q8_0", ["model-Q8_0.gguf"]],
  );
  const stories = await save(`${server.url}b/stories.bin`);
  assert.deepEqual(
    [stories.name, stories.files.map(({ path }) => path)],
    ["stories", ["stories.bin", "tok512.bin"]],
  );
});

test("a model's MANIFEST.json is heeded whether or not the server lists sums", async () => {
  const files = modelFiles({ bytes: 1000 });
  const manifest = manifestOf({ ...files, "optimizer.safetensors": bytesOf(10) });
  await using server = await FileServer.start(inFolder({ ...files, "MANIFEST.json": manifest }));
  assert.equal((await save(`${server.url}m/`)).files.length, 4);
  server.files.set(WEIGHTS, bytesOf(1000, 99));
  const error = await failure(save(`${server.url}m/`));
  assert.match(error.message, /"model\.safetensors".*as MANIFEST\.json says/);
});

test("a list with paths that leave the folder, or without lengths, is refused", async () => {
  for (const entry of [
    { path: "../secret", bytes: 1 },
    { path: "/etc/passwd", bytes: 1 },
    { path: "a", bytes: -1 },
    { path: "a" },
    { path: "a", bytes: 1, sha256: "short" },
    "a",
  ]) {
    await using server = await FileServer.start({
      "m/index.json": textBytes({ name: "x", files: [entry] }),
    });
    const error = await failure(save(`${server.url}m/`));
    assert.equal(error.kind, "corrupt", JSON.stringify(entry));
    assert.match(error.message, /index\.json/);
  }
});

test("an address that is none, or of another scheme, is refused without a request", async () => {
  for (const url of ["model", "file:///etc/passwd", "data:,x", "//host/model"]) {
    assert.equal((await failure(save(url))).kind, "bad-input");
  }
});

test("a download can be ended, and begins again later", async () => {
  await using server = await serve();
  const controller = new AbortController();
  const origin = new MemoryOrigin();
  server.fault = ({ path, method }, response, bytes) => {
    if (path !== WEIGHTS || method !== "GET") return false;
    response.writeHead(200, { "content-length": bytes!.length });
    response.write(bytes!.subarray(0, 100), () => controller.abort());
    return true;
  };
  const error = await failure(save(`${server.url}m/`, { signal: controller.signal }, origin));
  assert.equal(error.kind, "aborted");
  assert.deepEqual([origin.files(), origin.locks.held()], [{}, []]);
  server.fault = undefined;
  await save(`${server.url}m/`, {}, origin);
});

test("a relative address counts from the page", async () => {
  await using server = await serve();
  const location = { href: `${server.url}page.html?a#b` };
  Object.defineProperty(globalThis, "location", { value: location, configurable: true });
  try {
    assert.equal((await save("m")).name, "listed");
  } finally {
    Reflect.deleteProperty(globalThis, "location");
  }
});
