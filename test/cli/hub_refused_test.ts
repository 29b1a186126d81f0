import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { EXIT } from "../../cli/platform/errors.ts";
import { HubClient } from "../../cli/platform/hub_client.ts";
import { isPlainPath } from "../../cli/platform/hub_listing.ts";
import { planPull } from "../../cli/platform/hub_pull.ts";
import type { HubServerOptions } from "./hub_server.ts";
import { pull, requestOf, serve } from "./hub_support.ts";

test("the token goes to the hub, and never to where it redirects", async () => {
  const token = "hf_secret";
  await using server = await serve({ token });
  await pull(requestOf(server, { token }));
  const at = (host: string) => server.requests.filter((request) => request.host === host);
  assert.equal(
    at("hub").every(({ authorization }) => authorization === `Bearer ${token}`),
    true,
  );
  assert.equal(at("store").length > 0, true);
  assert.equal(
    at("store").every(({ authorization }) => authorization === undefined),
    true,
  );
});

test("a model without access says to accept the licence and to set HF_TOKEN", async () => {
  await using server = await serve({ token: "hf_other" });
  for (const [token, remedy] of [
    [undefined, /set HF_TOKEN to a token from http:\/\/127\.0\.0\.1:\d+\/settings\/tokens$/],
    ["hf_wrong", /use a HF_TOKEN that may read it$/],
  ] as const) {
    const request = requestOf(server, token === undefined ? {} : { token });
    const error = await planPull(request).then(
      () => assert.fail("it must be refused"),
      (reason: Error) => reason,
    );
    assert.match(
      error.message,
      /^Cannot download "org\/name": you must have access to it, got 401/,
    );
    assert.match(error.message, /accept its licence at http:\/\/127\.0\.0\.1:\d+\/org\/name, and /);
    assert.match(error.message, remedy);
    assert.equal(!error.message.includes("hf_wrong"), true);
  }
});

test("unknown models and revisions are named", async () => {
  await using server = await serve();
  await assert.rejects(planPull(requestOf(server, { repo: "org/other" })), {
    exitCode: EXIT.data,
    message: /^Cannot download "org\/other": it must exist, got 404 Not Found; check the name/,
  });
  await assert.rejects(planPull(requestOf(server, { revision: "v9" })), {
    exitCode: EXIT.data,
    message: /^Cannot download "org\/name": the revision must exist, got 404/,
  });
  for (const repo of ["../name", "a/b/c", "org/na me", "org/..", "", "a--b/c", "org/name\n"]) {
    await assert.rejects(planPull(requestOf(server, { repo })), { exitCode: EXIT.usage });
  }
  for (const revision of ["..", "../../x", "/etc", "a//b", "", "a b", "refs/./x"]) {
    await assert.rejects(planPull(requestOf(server, { revision })), { exitCode: EXIT.usage });
  }
  assert.equal(server.requests.length, 2, "no request with a hostile name");
});

const HOSTILE = [
  "../evil",
  "a/../../evil",
  "/etc/evil",
  "..",
  "a//b",
  "./a",
  "a\\..\\evil",
  "C:/evil",
  "a\u0000b",
  "a\nb",
  "",
  "x".repeat(300),
];

for (const path of HOSTILE) {
  test(`a file named ${JSON.stringify(path).slice(0, 40)} is refused before anything is written`, async () => {
    const entries = [{ type: "file", path, size: 4, oid: "0".repeat(40) }];
    await using server = await serve({ entries });
    const request = requestOf(server, { include: ["*"] });
    await assert.rejects(pull(request), {
      exitCode: EXIT.data,
      message:
        /^Cannot download "org\/name": the hub must list files by plain relative paths, got "/,
    });
    assert.deepEqual(readdirSync(request.settings.cacheDir), []);
  });
}

test("isPlainPath() lets nothing out of a folder", () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "C:", "~", "..."), fc.string());
  fc.assert(
    fc.property(
      fc.array(part).map((parts) => parts.join("/")),
      (path) => {
        if (!isPlainPath(path)) return;
        const joined = join("/cache/snapshot", path);
        assert.equal(
          joined.startsWith("/cache/snapshot/") && joined === `/cache/snapshot/${path}`,
          true,
        );
      },
    ),
    { numRuns: 2000 },
  );
});

test("entries without proper digests or sizes are refused", async () => {
  const fields = { type: "file", path: "extra", size: 4, oid: "0".repeat(40) };
  const lfs = { oid: "0".repeat(64), size: 4, pointerSize: 1 };
  for (const [change, rule] of [
    [{ oid: "../../evil" }, "must give the digest"],
    [{ oid: undefined }, "must give the digest"],
    [{ lfs: { ...lfs, oid: "0".repeat(63) } }, "must give the digest"],
    [{ lfs: { ...lfs, size: -1 } }, "must give the bytes"],
    [{ size: 2 ** 60 }, "must give the bytes"],
    [{ size: "4" }, "must give the bytes"],
    [{ path: 7 }, "must list files by plain"],
    [{ path: "config.json" }, "must list each file once"],
  ] as const) {
    await using server = await serve({ entries: [{ ...fields, ...change }] });
    await assert.rejects(planPull(requestOf(server)), { message: new RegExp(rule) });
  }
});

test("answers that are none of a hub's are errors that name it", async () => {
  const answers: readonly [unknown, RegExp][] = [
    ["<html>a portal</html>", /must answer as a hub does, got /],
    [{ sha: "../../x" }, /must name a commit of 40 hexadecimal digits, got "\.\.\/\.\.\/x"/],
    [{}, /must name a commit of 40 hexadecimal digits, got none/],
    [null, /must answer as a hub does, got /],
  ];
  for (const [answer, message] of answers) {
    const onApi: HubServerOptions["onApi"] = (_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
      return true;
    };
    await using server = await serve({ onApi });
    await assert.rejects(planPull(requestOf(server)), { exitCode: EXIT.data, message });
  }
});

test("redirects without an end, or to another protocol, are refused", async () => {
  for (const [location, message] of [
    ["/loop", /redirects must end after 5, got more/],
    ["file:///etc/passwd", /must redirect to an address as safe as itself, got "file:\/\/"/],
    ["http://[broken", /must redirect to an address as safe as itself/],
  ] as const) {
    const onApi: HubServerOptions["onApi"] = (_, response) => {
      response.writeHead(307, { location }).end();
      return true;
    };
    await using server = await serve({ onApi });
    await assert.rejects(planPull(requestOf(server)), { exitCode: EXIT.data, message });
    assert.equal(server.requests.length <= 6, true);
  }
});

test("no error shows the query of a signed address", async () => {
  for (const [last, message] of [
    ["/signed?X-Signature=secret", /redirects must end after 5, got more/],
    ["file:///x?X-Signature=secret", /"127\.0\.0\.1:\d+\/signed": it must redirect to an address/],
    ["http://[broken?X-Signature=secret", /got none that can be read/],
  ] as const) {
    const onApi: HubServerOptions["onApi"] = ({ pathname }, response) => {
      const location = pathname === "/signed" ? last : "/signed?X-Signature=secret";
      response.writeHead(307, { location }).end();
      return true;
    };
    await using server = await serve({ onApi });
    await assert.rejects(planPull(requestOf(server)), (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret|Signature/);
      return true;
    });
    const client = new HubClient({ settings: requestOf(server).settings, repo: "org/name" });
    const url = `${server.endpoint}/signed?X-Signature=secret`;
    await assert.rejects(
      client.open(url, {}, () => assert.fail("it must be refused")),
      (error: Error) => !/secret|Signature/.test(error.message) && message.test(error.message),
    );
  }
});

test("a model that does not fit the disk is refused before it is asked for", async () => {
  const lfs = { oid: "0".repeat(64), size: 2 ** 52, pointerSize: 1 };
  const entries = [{ type: "file", path: "big.gguf", size: 2 ** 52, oid: "0".repeat(40), lfs }];
  await using server = await serve({ entries });
  await assert.rejects(pull(requestOf(server, { gguf: "big" })), {
    exitCode: EXIT.failure,
    message: /must have 4503599627370496 bytes free, got \d+; choose another with --cache-dir/,
  });
});
