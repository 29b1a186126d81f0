import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT } from "../../cli/platform/errors.ts";
import { HubClient } from "../../cli/platform/hub_client.ts";
import { planPull, type PullRequest } from "../../cli/platform/hub_pull.ts";
import { withFaults } from "./fault_injection.ts";
import { FAULTS, type Fault, type HubServerOptions } from "./hub_server.ts";
import {
  assertWhole,
  blobOf,
  blobsOf,
  contentsOf,
  FILES,
  LENGTH,
  newCache,
  PATIENCE,
  pull,
  REPO,
  requestOf,
  serve,
  WEIGHTS,
} from "./hub_support.ts";

test("every file is flushed to disk before it gets its final name", async () => {
  await using server = await serve();
  const request = requestOf(server);
  const report = await withFaults(() => pull(request));
  assert.equal(report.error, undefined);
  const root = join(request.settings.cacheDir, "models--org--name");
  for (const name of contentsOf(request.settings.cacheDir)) {
    assert.ok(!report.unflushed.has(statSync(join(root, name)).ino), name);
  }
  const renames = report.operations.flatMap((operation, index) => {
    const blob = /^rename (.*)\.incomplete → /.exec(operation)?.[1];
    return blob === undefined ? [] : [{ blob, index }];
  });
  assert.equal(renames.length, 3);
  for (const { blob, index } of renames) {
    const synced = report.operations.indexOf(`sync ${blob}.incomplete`);
    assert.ok(synced >= 0 && synced < index, blob);
  }
});

for (const kind of ["ENOSPC", "EIO"] as const) {
  test(`a disk that fails with ${kind} leaves no final name, and the error names the folder`, async () => {
    await using server = await serve();
    const request = requestOf(server, { include: [WEIGHTS] });
    const whole = await withFaults(() => pull(requestOf(server, { include: [WEIGHTS] })));
    const write = whole.operations.findIndex(
      (operation) => operation.startsWith("write ") && operation.includes("incomplete"),
    );
    const report = await withFaults(() => pull(request), { at: write, kind });
    assert.match(
      String(report.error),
      /^CliError: Cannot write ".*models--org--name": the (disk|system) must/,
    );
    assert.deepEqual(blobsOf(request.settings.cacheDir), []);
  });
}

test("a process that dies at any moment leaves only whole files under final names", async () => {
  await using server = await serve();
  const request = (cacheDir: string): PullRequest => requestOf(server, { cacheDir });
  const { operations } = await withFaults(() => pull(request(newCache())));
  for (let at = 0; at < operations.length; at += 3) {
    const cacheDir = newCache();
    const { error } = await withFaults(() => pull(request(cacheDir)), {
      at,
      kind: "death",
      share: 0.5,
    });
    assert.notEqual(error, undefined);
    for (const name of blobsOf(cacheDir)) {
      const [path] = Object.keys(FILES).filter((each) => blobOf(each) === name);
      assertWhole(join(cacheDir, "models--org--name", name), path!);
    }
    // This process lives, so its lock would hold.
    rmSync(join(cacheDir, ".locks"), { recursive: true, force: true });
    const snapshot = await pull(request(cacheDir));
    assertWhole(join(snapshot, WEIGHTS), WEIGHTS);
    rmSync(cacheDir, { recursive: true });
  }
});

/** Faults that pass, with the bytes that are sent in all. */
const PASSING: readonly [name: string, fault: Fault, sent: number][] = [
  ["a flipped bit", FAULTS.flip(WEIGHTS, 3), 4 * LENGTH],
  ["an early end", FAULTS.truncate(WEIGHTS, 1000, 2), LENGTH],
  ["bytes too many", FAULTS.extend(WEIGHTS), 2 * LENGTH + 1],
  ["a silent server", FAULTS.stall(WEIGHTS, 1000), LENGTH],
  ["an internal error", FAULTS.status(WEIGHTS, 500), LENGTH],
  ["a busy server", FAULTS.status(WEIGHTS, 503, { times: 3 }), LENGTH],
  [
    "too many requests",
    FAULTS.status(WEIGHTS, 429, { headers: { "retry-after": "0.01" } }),
    LENGTH,
  ],
  ["a link that has expired", FAULTS.status(WEIGHTS, 403), LENGTH],
  ["a range that cannot be", FAULTS.status(WEIGHTS, 416), LENGTH],
];

for (const [name, fault, sent] of PASSING) {
  test(`${name} passes: the file is whole in the end`, async () => {
    await using server = await serve({ fault });
    const request = requestOf(server);
    const snapshot = await pull(request);
    assertWhole(join(snapshot, WEIGHTS), WEIGHTS);
    assert.equal(server.sent.get(WEIGHTS), sent);
  });
}

for (const [name, second, sent] of [
  ["ignores ranges", FAULTS.ignoreRange(WEIGHTS), 1000 + LENGTH],
  ["sends another range", FAULTS.shiftRange(WEIGHTS), 1000 + 10 + LENGTH],
  ["flips a bit of the rest", FAULTS.flip(WEIGHTS), 2 * LENGTH],
] as const) {
  test(`a server that ${name} does not spoil what is gone on with`, async () => {
    const first = FAULTS.cut(WEIGHTS, 1000);
    const fault: Fault = async (request) => (await first(request)) || second(request);
    await using server = await serve({ fault });
    const snapshot = await pull(requestOf(server));
    assertWhole(join(snapshot, WEIGHTS), WEIGHTS);
    assert.equal(server.sent.get(WEIGHTS), sent);
  });
}

/** Faults that stay, with what is said of them. */
const LASTING: readonly [string, Fault, number, RegExp][] = [
  [
    "flipped bits",
    FAULTS.flip(WEIGHTS, 99),
    EXIT.data,
    /"model\.safetensors" of "org\/name": its 300001 bytes must have the SHA-256 [0-9a-f]{64}.*got other bytes 4 times/,
  ],
  [
    "flipped bits in a small file",
    FAULTS.flip("config.json", 99),
    EXIT.data,
    /"config\.json" .* must have the git's SHA-1 [0-9a-f]{40}/,
  ],
  ["bytes too many", FAULTS.extend(WEIGHTS, 99), EXIT.data, /got other bytes 4 times/],
  [
    "internal errors",
    FAULTS.status(WEIGHTS, 502, { times: 99 }),
    EXIT.retry,
    /the hub must answer, got 502 Bad Gateway; run the same command later/,
  ],
  [
    "a cut at once",
    FAULTS.cut(WEIGHTS, 0, 99),
    EXIT.retry,
    /got a broken connection to 127\.0\.0\.1:\d+ \(.*; run the same command later/,
  ],
  ["silence", FAULTS.stall(WEIGHTS, 0, 99), EXIT.retry, /got no (byte|answer)/],
  [
    "a ban for an hour",
    FAULTS.status(WEIGHTS, 429, { headers: { "retry-after": "3600" } }),
    EXIT.retry,
    /429 Too Many Requests.*run the same command in 60 min/,
  ],
  [
    "a file that is gone",
    FAULTS.status(WEIGHTS, 404, { times: 99 }),
    EXIT.data,
    /it must exist, got 404 Not Found/,
  ],
];

for (const [name, fault, exitCode, message] of LASTING) {
  test(`${name}, again and again, is an error that says so, and leaves no final name`, async () => {
    await using server = await serve({ fault });
    const patience = { backoffMs: 1, stallMs: 50 };
    const request = requestOf(server, { patience });
    await assert.rejects(pull(request), { exitCode, message });
    const { cacheDir } = request.settings;
    const wrong = exitCode === EXIT.data;
    const names = contentsOf(cacheDir);
    assert.ok(
      !blobsOf(cacheDir).includes(blobOf(name.includes("small") ? "config.json" : WEIGHTS)),
    );
    assert.equal(
      !wrong || !names.some((each) => each.endsWith(`${blobOf(WEIGHTS)}.tenure.incomplete`)),
      true,
    );
    assert.ok(!names.includes("refs/main"), "the revision must not point to a model in parts");
  });
}

test("the API is asked again when it fails for a moment, and a listing is read to its last page", async () => {
  let numFailures = 2;
  const onApi: HubServerOptions["onApi"] = (_, response) => {
    if (numFailures-- <= 0) return false;
    response.writeHead(numFailures === 1 ? 500 : 429, { "retry-after": "0" }).end();
    return true;
  };
  await using server = await serve({ onApi, pageSize: 1 });
  const notes: string[] = [];
  const plan = await planPull(requestOf(server, { onNote: (text) => notes.push(text) }));
  assert.deepEqual(plan.files.map(({ path }) => path).toSorted(), [
    "config.json",
    WEIGHTS,
    "tokenizer.json",
  ]);
  assert.deepEqual(notes, [
    "Got 500 Internal Server Error: trying again in 0 s",
    "Got 429 Too Many Requests, too many requests: trying again in 0 s",
  ]);
});

test("a host that is not there is an error that names it", async () => {
  const settings = { endpoint: "http://127.0.0.1:1", cacheDir: newCache(), isOffline: false };
  const request = { repo: REPO, revision: "main", settings, patience: PATIENCE };
  await assert.rejects(planPull(request), {
    exitCode: EXIT.retry,
    message: /127\.0\.0\.1:1\b.*ECONNREFUSED|bad port/,
  });
});

test("a client that is stopped makes no more requests", async () => {
  await using server = await serve();
  const { settings } = requestOf(server);
  const client = new HubClient({ settings, repo: REPO });
  client.stop();
  await assert.rejects(client.fetchApi(`${server.endpoint}/api/models/org/name`), {
    name: "AbortError",
  });
  assert.deepEqual(server.requests, []);
});
