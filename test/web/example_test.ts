import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("../../examples/next_occupation/", import.meta.url));
const entry = fileURLToPath(new URL("../../web/mod.ts", import.meta.url));

/** Lines of code that somebody has to write for their page, imports and worker included. */
const MOST_LINES = 30;

test("the example is short, and builds for a strict policy", async () => {
  const sources = readdirSync(root).filter((name) => name.endsWith(".ts"));
  const lines = sources.flatMap((name) =>
    readFileSync(`${root}${name}`, "utf8").trim().split("\n"),
  );
  assert.ok(lines.length <= MOST_LINES, `${lines.length} lines`);
  const built = await build({
    root,
    configFile: false,
    logLevel: "silent",
    resolve: { alias: { "tenure/web": entry } },
    worker: { format: "es" },
    build: { write: false, target: "esnext", modulePreload: { polyfill: false } },
  });
  assert.ok("output" in built);
  const { output } = built;
  const page = output.find(({ fileName }) => fileName === "index.html");
  assert.ok(page?.type === "asset");
  const html = String(page.source);
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|style=/, "nothing inline");
  const code = output.flatMap((one) =>
    one.type === "chunk" ? [one.code] : one.fileName.endsWith(".js") ? [String(one.source)] : [],
  );
  assert.ok(code.length >= 2, "page and worker");
  for (const text of code) {
    assert.doesNotMatch(text, /\beval\(|new Function\(|ZodError|@huggingface\/jinja/);
  }
  const main = output.find((one) => one.type === "chunk" && one.isEntry);
  assert.ok(main?.type === "chunk");
  assert.doesNotMatch(main.code, /requestAdapter/, "the page itself holds no engine");
});
