import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { downloadFileToCacheDir, scanCachedRepo } from "@huggingface/hub";
import { type CliError, EXIT } from "../../cli/platform/errors.ts";
import { locked } from "../../cli/platform/hub_lock.ts";
import { findOffline } from "../../cli/platform/hub_offline.ts";
import { planPull, runPull } from "../../cli/platform/hub_pull.ts";
import { COMMIT, FAULTS, type Fault } from "./hub_server.ts";
import {
  assertWhole,
  blobOf,
  blobsOf,
  content,
  contentsOf,
  FILES,
  folder,
  large,
  LENGTH,
  newCache,
  pull,
  REPO,
  requestOf,
  serve,
  small,
  WEIGHTS,
} from "./hub_support.ts";

const COMMAND = fileURLToPath(new URL("../../bin/tenure.js", import.meta.url));

test("a pulled model lies in the cache as other programs expect it", async () => {
  await using server = await serve();
  const cacheDir = newCache();
  const snapshot = await pull(requestOf(server, { cacheDir }));
  assert.equal(snapshot, join(cacheDir, "models--org--name", "snapshots", COMMIT));
  const paths = ["config.json", "tokenizer.json", WEIGHTS];
  assert.deepEqual(
    contentsOf(cacheDir),
    [
      ...paths.map(blobOf),
      "refs/main",
      ...paths.map((path) => `snapshots/${COMMIT}/${path}`),
    ].toSorted(),
  );
  for (const path of paths) {
    assertWhole(join(snapshot, path), path);
    assert.equal(readlinkSync(join(snapshot, path)), `../../${blobOf(path)}`);
  }
  // The library, which shares the layout, finds all of it and asks for nothing.
  const found = await downloadFileToCacheDir({
    repo: REPO,
    path: WEIGHTS,
    revision: COMMIT,
    cacheDir,
    fetch: () => assert.fail("a request was made"),
  });
  assert.equal(found, join(snapshot, WEIGHTS));
  const { revisions } = await scanCachedRepo(join(cacheDir, "models--org--name"));
  assert.deepEqual(
    revisions.map(({ commitOid, refs, files }) => [commitOid, refs, files.length]),
    [[COMMIT, ["main"], 3]],
  );
});

test("what is in the cache is checked, not downloaded again", async () => {
  await using server = await serve();
  const cacheDir = newCache();
  const snapshot = await pull(requestOf(server, { cacheDir }));
  server.sent.clear();
  await pull(requestOf(server, { cacheDir }));
  assert.deepEqual([...server.sent], []);
  // A damaged blob of the right length is found out.
  const damaged = FILES[WEIGHTS]!.bytes.slice();
  damaged[1000]! ^= 4;
  writeFileSync(join(cacheDir, "models--org--name", blobOf(WEIGHTS)), damaged);
  const notes: string[] = [];
  await pull(requestOf(server, { cacheDir, onNote: (text) => notes.push(text) }));
  assert.deepEqual([...server.sent], [[WEIGHTS, LENGTH]]);
  assertWhole(join(snapshot, WEIGHTS), WEIGHTS);
  assert.deepEqual(notes, [`"${WEIGHTS}" in the cache is damaged: it is downloaded again`]);
});

test("a connection cut in the middle is gone on with, by a range", async () => {
  await using server = await serve({ fault: FAULTS.cut(WEIGHTS, 100_000) });
  const snapshot = await pull(requestOf(server));
  assertWhole(join(snapshot, WEIGHTS), WEIGHTS);
  const ranges = server.requests.flatMap(({ host, range }) =>
    host === "store" ? (range ?? []) : [],
  );
  const begin = Number(/^bytes=(\d+)-$/.exec(ranges[0]!)?.[1]);
  assert.equal(ranges.length, 1);
  assert.ok(begin > 0 && begin <= 100_000, ranges[0]);
  assert.equal(server.sent.get(WEIGHTS), 100_000 + LENGTH - begin);
});

test("an interrupted download asks only for the rest when it is run again", async () => {
  const cacheDir = newCache();
  await using server = await serve({ fault: FAULTS.stall(WEIGHTS, 200_000, 99) });
  const controller = new AbortController();
  const request = { ...requestOf(server, { cacheDir }), patience: {}, signal: controller.signal };
  const interrupted = runPull(await planPull(request), {
    signal: controller.signal,
    onBytes: () => {
      const path = join(cacheDir, "models--org--name", `${blobOf(WEIGHTS)}.tenure.incomplete`);
      const length = existsSync(path) ? statSync(path).size : 0;
      if (length === 200_000) controller.abort();
    },
  });
  await assert.rejects(interrupted, { name: "AbortError" });
  assert.equal(blobsOf(cacheDir).includes(blobOf(WEIGHTS)), false);
  assert.deepEqual(readdirSync(join(cacheDir, ".locks", "models--org--name")), []);
  server.fault = undefined;
  server.sent.clear();
  const plan = await planPull(requestOf(server, { cacheDir }));
  assert.equal(plan.files.find(({ path }) => path === WEIGHTS)!.cachedBytes, 200_000);
  await runPull(plan);
  assert.equal(server.sent.get(WEIGHTS), LENGTH - 200_000);
  assert.equal(!contentsOf(cacheDir).some((name) => name.includes("incomplete")), true);
});

test("a partial download with wrong bytes costs one more download, not the model", async () => {
  const cacheDir = newCache();
  const partial = join(cacheDir, "models--org--name", `${blobOf(WEIGHTS)}.tenure.incomplete`);
  await using server = await serve();
  const cases: [bytes: Uint8Array, sent: number][] = [
    [content(100_000, 9), LENGTH - 100_000 + LENGTH], // wrong: found out at the end
    [content(LENGTH + 5, 1), LENGTH], // too long: begun anew
    [content(LENGTH, 9), LENGTH], // whole, but wrong: not asked for again before it is checked
    [content(LENGTH, 1), 0], // whole and right
    [content(LENGTH - 1, 1), 1],
  ];
  for (const [bytes, sent] of cases) {
    rmSync(cacheDir, { recursive: true, force: true });
    mkdirSync(join(partial, ".."), { recursive: true });
    writeFileSync(partial, bytes);
    server.sent.clear();
    const snapshot = await pull(requestOf(server, { cacheDir }));
    assertWhole(join(snapshot, WEIGHTS), WEIGHTS);
    assert.equal(server.sent.get(WEIGHTS) ?? 0, sent);
  }
});

test("a branch with slashes and a commit are revisions", async () => {
  await using server = await serve();
  for (const [revision, refs] of [
    ["refs/pr/1", ["refs/refs/pr/1"]],
    [COMMIT, []],
  ] as const) {
    const cacheDir = newCache();
    await pull(requestOf(server, { cacheDir, revision }));
    assert.deepEqual(
      contentsOf(cacheDir).filter((name) => name.startsWith("refs/")),
      refs,
    );
  }
});

test("two files of the same content are downloaded once", async () => {
  const files = { "a.txt": large(5000), "b.txt": large(5000) };
  await using server = await serve({ files });
  const snapshot = await pull(requestOf(server, { include: ["*"] }));
  for (const name of Object.keys(files)) assert.equal(statSync(join(snapshot, name)).size, 5000);
  assert.deepEqual([...server.sent.values()], [5000]);
});

test("an empty file and files in folders come too, when they are asked for", async () => {
  const files = { "a/b/c.txt": small("deep"), empty: small(""), "empty.dat": large(0) };
  await using server = await serve({ files });
  const snapshot = await pull(requestOf(server, { include: ["*"] }));
  assert.equal(readFileSync(join(snapshot, "a/b/c.txt"), "utf8"), "deep");
  for (const name of ["empty", "empty.dat"]) assert.equal(statSync(join(snapshot, name)).size, 0);
});

test("at most two files are on their way at a time", async () => {
  let [now, most] = [0, 0];
  const fault: Fault = async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now -= 1;
    return false;
  };
  const files = Object.fromEntries(
    Array.from({ length: 7 }, (_, i) => [`${i}.txt`, small(`${i}`)]),
  );
  await using server = await serve({ files, fault });
  await pull(requestOf(server, { include: ["*"] }));
  assert.equal(most, 2);
});

test("a lock keeps two processes apart, and one that is stale is taken over", async () => {
  await using server = await serve();
  const cacheDir = newCache();
  const locks = join(cacheDir, ".locks", "models--org--name");
  mkdirSync(locks, { recursive: true });
  writeFileSync(join(locks, "tenure.lock"), `${process.pid} ${hostname()}`);
  await assert.rejects(pull(requestOf(server, { cacheDir })), {
    exitCode: EXIT.retry,
    message: /only one process may at a time, got one at work \(process \d+ on /,
  });
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => child.on("exit", resolve));
  writeFileSync(join(locks, "tenure.lock"), `${child.pid} ${hostname()}`);
  await pull(requestOf(server, { cacheDir }));
  assert.deepEqual(readdirSync(locks), []);
});

test("a stale lock is taken over by one of many, and nobody removes the lock of another", async () => {
  const locks = join(newCache(), ".locks");
  mkdirSync(locks);
  const path = join(locks, "tenure.lock");
  const child = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => child.on("exit", resolve));
  for (let round = 0; round < 20; round++) {
    writeFileSync(path, `${child.pid} ${hostname()}`);
    let [now, most] = [0, 0];
    const work = async (): Promise<void> => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 10));
      now -= 1;
    };
    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => locked(locks, work)));
    assert.equal(most, 1);
    for (const end of ends) {
      if (end.status === "rejected") assert.equal((end.reason as CliError).exitCode, EXIT.retry);
    }
    assert.deepEqual(readdirSync(locks), []);
  }
  const other = `${process.pid} elsewhere`;
  await locked(locks, () => Promise.resolve(writeFileSync(path, other)));
  assert.equal(readFileSync(path, "utf8"), other);
});

test("what another program downloads into the same cache is neither used nor changed", async () => {
  await using server = await serve();
  const cacheDir = newCache();
  const blob = join(cacheDir, "models--org--name", blobOf(WEIGHTS));
  const theirs = content(100_000, 1);
  mkdirSync(join(blob, ".."), { recursive: true });
  writeFileSync(`${blob}.incomplete`, theirs);
  await pull(requestOf(server, { cacheDir }));
  assertWhole(blob, WEIGHTS);
  assert.equal(readFileSync(`${blob}.incomplete`).equals(theirs), true);
});

test("offline, the cache is used, or what is missing is named", async () => {
  await using server = await serve();
  const request = requestOf(server);
  const snapshot = await pull(request);
  server.requests.length = 0;
  assert.equal((await findOffline(request)).folder, snapshot);
  await assert.rejects(findOffline({ ...request, revision: "v2" }), {
    exitCode: EXIT.data,
    message:
      /^Cannot find "org\/name" at v2 offline: it must be in the cache ".*", got none of it; unset/,
  });
  await assert.rejects(findOffline({ ...request, gguf: "q8" }), {
    message: /got a model without any GGUF; unset/,
  });
  rmSync(join(request.settings.cacheDir, "models--org--name", blobOf(WEIGHTS)));
  await assert.rejects(findOffline(request), {
    message: /got "config\.json", "tokenizer\.json"; unset HF_HUB_OFFLINE/,
  });
  rmSync(join(snapshot, WEIGHTS));
  writeFileSync(join(snapshot, "model-1-of-2.safetensors"), "x");
  const map = { a: "model-1-of-2.safetensors", b: "model-2-of-2.safetensors" };
  writeFileSync(
    join(snapshot, "model.safetensors.index.json"),
    JSON.stringify({ weight_map: map }),
  );
  await assert.rejects(findOffline(request), {
    message: /got all but "model-2-of-2\.safetensors"; unset/,
  });
  assert.deepEqual(server.requests, []);
});

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `tenure pull`; `meanwhile` may end it. */
async function tenure(
  args: readonly string[],
  options: {
    readonly env: Record<string, string>;
    readonly meanwhile?: (kill: (name: NodeJS.Signals) => void) => Promise<void>;
  },
): Promise<Run> {
  const env = { ...process.env, HF_TOKEN: "", HF_HOME: join(folder, "no-home"), ...options.env };
  const child = spawn(process.execPath, [COMMAND, "pull", ...args], { env });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  await options.meanwhile?.((name) => child.kill(name));
  const status = await ended;
  return { status, stdout, stderr };
}

test("tenure pull downloads, says where and what next, and again offline", async () => {
  await using server = await serve();
  const cacheDir = newCache();
  const env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cacheDir };
  const dry = await tenure([REPO, "--dry-run"], { env });
  assert.match(
    dry.stdout,
    /^config\.json +22 B\ntokenizer\.json +4\.9 KiB\nmodel\.safetensors +293\.0 KiB\n3 files, /,
  );
  assert.match(dry.stdout, /^3 files, 297\.9 KiB, 297\.9 KiB to download; folder /m);
  assert.deepEqual(readdirSync(cacheDir), []);
  const { status, stdout, stderr } = await tenure([REPO], { env });
  assert.equal(status, EXIT.ok, stderr);
  const snapshot = join(cacheDir, "models--org--name", "snapshots", COMMIT);
  const next = `${snapshot}\n\nNext: tenure generate org/name "Once upon a time"\n`;
  assert.equal(stdout, next);
  assert.match(stderr, /^org\/name at 01234567: 3 files, 297\.9 KiB, 297\.9 KiB to download$/m);
  server.requests.length = 0;
  const offline = await tenure([REPO], { env: { ...env, HF_HUB_OFFLINE: "1" } });
  assert.deepEqual([offline.status, offline.stdout], [EXIT.ok, next]);
  assert.deepEqual(server.requests, []);
});

test("tenure pull names what can be loaded, and plans offline", async () => {
  const files = { ...FILES, "a-Q8_0.gguf": large(500, 4), "a-F16.gguf": large(900, 5) };
  await using server = await serve({ files });
  const cacheDir = newCache();
  const env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cacheDir };
  const offline = { ...env, HF_HUB_OFFLINE: "1" };
  const snapshot = join(cacheDir, "models--org--name", "snapshots", COMMIT);
  const next = (model: string): string =>
    `${snapshot}\n\nNext: tenure generate ${model} "Once upon a time"\n`;
  for (const [args, expected] of [
    [["--gguf", "q8_0"], next(join(snapshot, "a-Q8_0.gguf"))],
    [["--gguf", "f16"], next(join(snapshot, "a-F16.gguf"))],
    [["--include", "*.json"], `${snapshot}\n`],
    [["--include", WEIGHTS, "*.gguf"], next(REPO)],
  ] as const) {
    for (const place of [env, offline]) {
      const { stdout, stderr } = await tenure([REPO, ...args], { env: place });
      assert.equal(stdout, expected, stderr);
    }
  }
  const { stdout } = await tenure([REPO, "--gguf", "q8_0", "--dry-run"], { env: offline });
  assert.equal(
    stdout,
    `a-Q8_0.gguf       500 B  in the cache\n1 files, 500 B, 0 B to download; folder ${snapshot}\n`,
  );
});

for (const [signal, expected] of [
  ["SIGKILL", null],
  ["SIGINT", EXIT.retry],
] as const) {
  test(`${signal} in the middle leaves no final name, and the same command gets only the rest`, async () => {
    const cacheDir = newCache();
    await using server = await serve({ fault: FAULTS.stall(WEIGHTS, 100_000, 99) });
    const env = { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cacheDir };
    const partial = join(cacheDir, "models--org--name", `${blobOf(WEIGHTS)}.tenure.incomplete`);
    const arrived = (): boolean => existsSync(partial) && statSync(partial).size === 100_000;
    const { status, stderr } = await tenure([REPO], {
      env,
      meanwhile: async (kill) => {
        const deadline = Date.now() + 30_000;
        while (!arrived() && Date.now() < deadline)
          await new Promise((next) => setTimeout(next, 20));
        kill(signal);
      },
    });
    assert.equal(status, expected, stderr);
    if (signal === "SIGINT") assert.match(stderr, /^Interrupted\. Run the same command again/m);
    assert.ok(!blobsOf(cacheDir).includes(blobOf(WEIGHTS)), WEIGHTS);
    assert.equal(!contentsOf(cacheDir).includes(`snapshots/${COMMIT}/${WEIGHTS}`), true);
    server.fault = undefined;
    server.sent.clear();
    const again = await tenure([REPO], { env });
    assert.equal(again.status, EXIT.ok, again.stderr);
    assert.equal(server.sent.get(WEIGHTS), LENGTH - 100_000);
    assertWhole(join(cacheDir, "models--org--name", `snapshots/${COMMIT}/${WEIGHTS}`), WEIGHTS);
  });
}
