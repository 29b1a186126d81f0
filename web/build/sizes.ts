// npm run sizes: what the engine and the page weigh, and whether that keeps the promises.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { librarySizes, pageSizes, type Size } from "./measure.ts";

const folder = mkdtempSync(join(tmpdir(), "tenure-sizes-"));
try {
  const configFile = join(import.meta.dirname, "..", "vite.config.ts");
  await build({ configFile, logLevel: "warn", build: { outDir: folder } });
  const sizes = [...(await librarySizes()), ...pageSizes(folder)];
  for (const size of sizes) process.stdout.write(`${inWords(size)}\n`);
  if (sizes.some(isTooLarge)) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

function inWords(size: Size): string {
  const { what, gzipBytes, limitKb } = size;
  const limit =
    limitKb === undefined ? "" : ` of ${limitKb} kB at most${isTooLarge(size) ? ": too much" : ""}`;
  return `${(gzipBytes / 1000).toFixed(1).padStart(6)} kB gzip${limit}  ${what}`;
}

function isTooLarge({ gzipBytes, limitKb = Infinity }: Size): boolean {
  return gzipBytes > 1000 * limitKb;
}
