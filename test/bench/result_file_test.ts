import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { after, test } from "node:test";
import { writeResult } from "../../bench/result_file.ts";
import { openAdapter } from "../../cli/platform/dawn.ts";

const folder = mkdtempSync(join(tmpdir(), "tenure-result-"));
after(() => rmSync(folder, { recursive: true }));
const opened = await openAdapter();

function written(name: string): Record<string, unknown> {
  const output = join(folder, "new", name);
  writeResult({ opened, body: { rows: [] }, output, beside: { md: "# Title" } });
  assert.equal(readFileSync(output.replace(/json$/, "md"), "utf8"), "# Title");
  return JSON.parse(readFileSync(output, "utf8")) as Record<string, unknown>;
}

test("a result says which commit and adapter it is of", () => {
  const { commit, adapter, rows } = written("a.json");
  assert.match(String(commit), /^([0-9a-f]{7,}|v?\d.*|unknown)(-dirty)?$/);
  assert.equal((adapter as { driver: string }).driver, opened.adapter.info.description);
  assert.deepEqual(rows, []);
});

test("a copy of the files without a history, or without git, keeps its figures", () => {
  const before = env["PATH"];
  env["PATH"] = folder;
  try {
    assert.equal(written("b.json")["commit"], "unknown");
  } finally {
    env["PATH"] = before;
  }
});
