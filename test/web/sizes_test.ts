import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "vite";
import { librarySizes, pageSizes, type Size, startFiles } from "../../web/build/measure.ts";

function assertFits({ what, gzipBytes, limitKb = Infinity }: Size): void {
  assert.ok(gzipBytes > 1000, `${what}: must have been measured, got ${gzipBytes} bytes`);
  assert.ok(gzipBytes < 1000 * limitKb, `${what}: ${gzipBytes} bytes of ${limitKb} kB`);
}

test("the engine that a page loads stays below 60 kB, and one career can be scored alone", async () => {
  const [engine, whole, score] = await librarySizes();
  assert.equal(engine!.limitKb, 60);
  assertFits(engine!);
  assertFits(whole!);
  assertFits(score!);
  assert.ok(
    whole!.gzipBytes > engine!.gzipBytes,
    "every kernel takes more than those of one model",
  );
});

let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tenure-sizes-"));
  await build({ configFile: "web/vite.config.ts", logLevel: "error", build: { outDir: folder } });
});
after(() => rmSync(folder, { recursive: true }));

test("all files of the page together stay below 250 kB", () => {
  const names = startFiles(folder);
  for (const kind of [/^index\.html$/, /index-.*\.js$/, /\/worker-.*\.js$/, /style-.*\.css$/]) {
    assert.ok(
      names.some((name) => kind.test(name)),
      `${kind} is loaded at the start, got ${names.join(", ")}`,
    );
  }
  const [start, all] = pageSizes(folder);
  for (const size of [start!, all!]) {
    assert.equal(size.limitKb, 250);
    assertFits(size);
  }
  assert.ok(all!.gzipBytes > start!.gzipBytes);
});

test("modules that page and workers share come once, and the page does not load the engine", () => {
  const texts = new Map(
    readdirSync(join(folder, "assets"))
      .filter((name) => name.endsWith(".js"))
      .map((name) => [name, readFileSync(join(folder, "assets", name), "utf8")]),
  );
  const withText = (text: string) => [...texts].filter(([, code]) => code.includes(text));
  for (const text of ["Funeral directors", "funeral director, mortician", "var<workgroup>"]) {
    assert.equal(withText(text).length, 1, `"${text}" must be in one file`);
  }
  const [engine] = withText("var<workgroup>")[0]!;
  const html = readFileSync(join(folder, "index.html"), "utf8");
  assert.ok(!html.includes(engine), `index.html must not name ${engine}`);
  for (const [name, code] of texts) {
    if (/^(?:index|import_worker)-/.test(name)) assert.ok(!code.includes(engine), name);
  }
});
