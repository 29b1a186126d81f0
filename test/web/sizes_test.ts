import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
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

test("the page stays below 250 kB, its workers included", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tenure-sizes-"));
  t.after(() => rmSync(folder, { recursive: true }));
  await build({ configFile: "web/vite.config.ts", logLevel: "error", build: { outDir: folder } });
  const names = startFiles(folder);
  for (const kind of [/^index\.html$/, /index-.*\.js$/, /\/worker-.*\.js$/, /index-.*\.css$/]) {
    assert.ok(
      names.some((name) => kind.test(name)),
      `${kind} is loaded at the start, got ${names.join(", ")}`,
    );
  }
  const [start, all] = pageSizes(folder);
  assert.equal(start!.limitKb, 250);
  assertFits(start!);
  assert.ok(all!.gzipBytes > start!.gzipBytes);
});
