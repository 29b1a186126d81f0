// Not a test of its own: core_test.ts sees to it that the failures planted here are reported.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("passes in a browser as under Node", () => {
  const text = readFileSync(new URL("planted.ts", import.meta.url), "utf8");
  assert.ok(text.startsWith("// Not a test of its own"));
  assert.throws(() => readFileSync("no such file"), { code: "ENOENT" });
  // What lies outside the folders that the server knows is not served.
  assert.throws(() => readFileSync("/files/repository/..%2f..%2fetc/passwd"), { code: "ENOENT" });
});

test("fails on purpose", async () => {
  await assert.rejects(async () => {}, /nothing is thrown/);
});

test("is skipped", { skip: "on purpose" }, () => assert.fail());
