import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseOptions } from "../../bench/options.ts";
import { readResult } from "../../bench/read_result.ts";

const folder = mkdtempSync(join(tmpdir(), "tenure-bench-"));
after(() => rmSync(folder, { recursive: true }));

test("without options, everything runs and nothing is compared", () => {
  const off = { quick: false, fast: false, peers: false, help: false };
  assert.deepEqual(parseOptions([]), { ...off, compare: [] });
});

test("options are read", () => {
  const { only, ...options } = parseOptions(
    "--only ^matmul --quick --fast --tuning off --peers --scale full --output a.json".split(" "),
  );
  assert.equal(only?.test("matmul nt"), true);
  assert.equal(only?.test("a matmul"), false);
  assert.deepEqual(options, {
    quick: true,
    fast: true,
    tuning: "off",
    peers: true,
    help: false,
    compare: [],
    scale: "full",
    output: "a.json",
  });
  assert.equal(parseOptions(["--experiment", "curves"]).experiment, "curves");
});

test("one file is compared with a run, two with each other", () => {
  assert.deepEqual(parseOptions(["--compare", "a.json"]).compare, ["a.json"]);
  assert.deepEqual(parseOptions(["--compare", "a.json", "b.json"]).compare, ["a.json", "b.json"]);
});

test("what cannot be meant is refused, and named", () => {
  for (const [args, reason] of [
    [["--scale", "huge"], /--scale must be small or full, got "huge"/],
    [["--only", "("], /must be a regular expression, got "\("/],
    [["--fastest"], /options must be known, got .*--fastest/],
    [["--experiment", "curves", "--only", "x"], /got "curves" with --only/],
    [["--experiment", "curves", "--compare", "x"], /got "curves" with --compare/],
    [["a.json"], /only --compare takes files, got "a.json"/],
    [["--compare", "a.json", "b.json", "c.json"], /got "c.json"/],
  ] as const) {
    assert.throws(() => parseOptions(args), { name: "RangeError", message: reason });
  }
});

test("a file of results is read; one that holds none is refused by name", () => {
  const file = (name: string, content: string) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
  const rows = [{ id: "a", ms: 1, lowMs: 1, highMs: 1 }];
  assert.deepEqual(readResult(file("good.json", JSON.stringify({ rows }))), { rows });
  for (const [name, content] of Object.entries({
    "cut.json": '{ "rows": [',
    "null.json": "null",
    "other.json": '{ "models": {} }',
    "zero.json": '{ "rows": [{ "id": "a", "ms": 0, "lowMs": 0, "highMs": 0 }] }',
    "text.json": '{ "rows": [{ "id": "a", "ms": "1", "lowMs": 1, "highMs": 1 }] }',
  })) {
    const path = file(name, content);
    assert.throws(
      () => readResult(path),
      (error) => error instanceof SyntaxError && error.message.includes(name),
      name,
    );
  }
  const missing = join(folder, "missing.json");
  assert.throws(() => readResult(missing), {
    message: `Cannot read "${missing}": the file must exist, got no such file`,
  });
  assert.throws(() => readResult(folder), /it must be a file, got a folder$/);
});
