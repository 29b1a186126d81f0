#!/usr/bin/env node
// Runs the compiled command of the published package, or, in a clone, the
// sources, under Node through tsx: there is nothing to build before the first run.
import { existsSync } from "node:fs";

const source = new URL("../cli/main.ts", import.meta.url);
if (existsSync(source) && process.versions.deno === undefined) {
  const { register } = await import("tsx/esm/api");
  register();
}
const { main } = await import(
  existsSync(source) ? source.href : new URL("../dist/cli/main.js", import.meta.url).href
);
await main(process.argv.slice(2));
