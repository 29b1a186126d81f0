import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { openTestAdapter } from "./support.ts";

/** Folders whose sources docs/architecture.md lists, each with one line. */
const FOLDERS = ["engine", "shaders", "model", "data", "cli", "web", "bench"];

/** Sources that belong to the project: those in git, or, without git, those that are there. */
function sources(): string[] {
  let names: string[] = [];
  try {
    const tracked = execFileSync("git", ["ls-files", "--", ...FOLDERS], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    // A file that was deleted but not yet committed is no source any more.
    names = tracked.split("\n").filter((name) => name !== "" && existsSync(name));
  } catch {
    // No git, or not a clone.
  }
  if (names.length === 0) {
    names = FOLDERS.flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) =>
        posix.join(folder, name.replaceAll("\\", "/")),
      ),
    ).filter((name) => !name.includes("node_modules/"));
  }
  return names.filter((name) => name.endsWith(".ts"));
}

/** Paths of the files in a tree: two spaces a level, a slash behind a folder, then a description. */
function filesOfTree(tree: string): { readonly path: string; readonly text: string }[] {
  const folders: string[] = [];
  return tree.split("\n").flatMap((line) => {
    const [, indent = "", name = "", text = ""] = /^( *)(\S+) *(.*)$/.exec(line) ?? [];
    folders.length = indent.length / 2;
    if (name.endsWith("/")) folders.push(name.slice(0, -1));
    return name === "" || name.endsWith("/") ? [] : [{ path: posix.join(...folders, name), text }];
  });
}

const page = readFileSync("docs/architecture.md", "utf8");
const tree = filesOfTree(/```text\n([\s\S]*?)\n```/.exec(page)?.[1] ?? "");

test("docs/architecture.md lists every source", () => {
  const listed = new Set(tree.map(({ path }) => path));
  const missing = sources().filter((name) => !listed.has(name));
  assert.deepEqual(missing, [], "add a line for each to the tree");
});

test("docs/architecture.md lists only files that are there, once, and says what they are", () => {
  const paths = tree.map(({ path }) => path);
  assert.ok(paths.length > 0);
  const gone = paths.filter((path) => !existsSync(path));
  const repeated = paths.filter((path, index) => paths.indexOf(path) !== index);
  const silent = tree.filter(({ text }) => text === "").map(({ path }) => path);
  assert.deepEqual({ gone, repeated, silent }, { gone: [], repeated: [], silent: [] });
});

test("links between the documents lead somewhere", () => {
  const folder = (path: string) =>
    readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => posix.join(path, name));
  const pages = [...readdirSync("."), ...folder("docs")].filter((name) => name.endsWith(".md"));
  const broken = pages.flatMap((name) =>
    Array.from(
      readFileSync(name, "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)|src="([^":]+)"/g),
      ([, link, source]) => posix.join(posix.dirname(name), (link ?? source)!),
    )
      .filter((target) => !existsSync(target))
      .map((target) => `${name}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test("a tree that is not true is found out", () => {
  const planted = filesOfTree("a/    folder\n  b.ts   one\n  c/  folder\n    d.ts two\ne.ts three");
  assert.deepEqual(
    planted.map(({ path }) => path),
    ["a/b.ts", "a/c/d.ts", "e.ts"],
  );
});

test("README's example of the library runs", async (t) => {
  const [, example = ""] = /```ts\n([\s\S]*?)\n```/.exec(readFileSync("README.md", "utf8")) ?? [];
  const folder = mkdtempSync(join(tmpdir(), "tenure-docs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = pathToFileURL(join(folder, "example.mts"));
  writeFileSync(file, example.replace('"tenure"', JSON.stringify(pathToFileURL("mod.ts").href)));
  if (globalThis.navigator?.gpu === undefined) {
    const adapter = await openTestAdapter();
    const value = { gpu: { requestAdapter: async () => adapter } };
    Object.defineProperty(globalThis, "navigator", { value, configurable: true });
  }
  const log = t.mock.method(console, "log", () => {});
  await import(file.href);
  const printed = log.mock.calls.map(({ arguments: values }) => values);
  assert.match(String(printed[0]), /^2000 \(high school\): Carpenters$/m);
  assert.match(String(printed[1]), /^\d+ tokens, 2 titles$/);
  const [values, dGain] = printed.at(-1) as unknown as [Float32Array, Float32Array];
  const x = [1, 2, 3, 4].map((value) => value / Math.sqrt(7.5));
  values.forEach((value, i) => assert.ok(Math.abs(value - x[i]!) < 1e-6));
  assert.ok(Math.abs(dGain[0]! - x[0]!) < 1e-6);
  assert.deepEqual([...dGain.subarray(1)], [0, 0, 0]);
});
