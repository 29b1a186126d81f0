import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { importsOf } from "../import_statements.ts";

/** What may be loaded before the command line is read: what flags are made of. */
const LIGHT = {
  folders: ["cli/commands", "cli/platform", "cli/run"],
  files: [
    "cli/main.ts",
    "data/career.ts",
    "data/synthetic/population.ts",
    "engine/gpu_errors.ts",
    "model/lora/default_lora.ts",
    "model/occupation/text_table.ts",
    "model/transformer/config.ts",
    "model/transformer/known_configs.ts",
  ],
  packages: ["commander"],
};

/** How a file or a package comes to be loaded: who imports it first. */
type Importers = ReadonlyMap<string, string | undefined>;

/** All that is loaded with a file: files by their paths from the root, packages by their names. */
function loadedWith(
  entry: string,
  { read = readSource, dynamic = false }: { read?: typeof readSource; dynamic?: boolean } = {},
): Importers {
  const importers = new Map<string, string | undefined>([[entry, undefined]]);
  // What is added to a map while it is gone through has its turn, too.
  for (const [file] of importers) {
    if (!file.endsWith(".ts")) continue;
    for (const { specifier, isType, isDynamic } of importsOf(read(file))) {
      if (isType || (isDynamic && !dynamic) || specifier.startsWith("node:")) continue;
      const target = specifier.startsWith(".")
        ? posix.join(posix.dirname(file), specifier)
        : specifier;
      if (!importers.has(target)) importers.set(target, file);
    }
  }
  return importers;
}

function readSource(file: string): string {
  return readFileSync(file, "utf8");
}

/** What of it is not light, each with the files that lead there. */
function heavyIn(importers: Importers): string[] {
  const { folders, files, packages } = LIGHT;
  const isLight = (path: string) =>
    folders.includes(posix.dirname(path)) || files.includes(path) || packages.includes(path);
  return [...importers.keys()]
    .filter((path) => !isLight(path))
    .map((path) => wayTo(path, importers).join(" < "));
}

function wayTo(path: string, importers: Importers): string[] {
  const importer = importers.get(path);
  return importer === undefined ? [path] : [path, ...wayTo(importer, importers)];
}

test("the command line is read before anything heavy is loaded", () => {
  const importers = loadedWith("cli/main.ts");
  for (const name of readdirSync("cli/commands")) {
    assert.ok(importers.has(`cli/commands/${name}`), `${name} must be a command of the program`);
  }
  assert.deepEqual(heavyIn(importers), []);
});

test("the work of all commands is loaded once it is asked for", () => {
  const importers = loadedWith("cli/main.ts", { dynamic: true });
  for (const path of ["engine/gpu.ts", "cli/study/run.ts", "zod", "hyparquet"]) {
    assert.ok(importers.has(path), `${path} must be reached`);
  }
});

test("a heavy import is found through the files between, with the way there", () => {
  const sources: Record<string, string> = {
    "cli/main.ts": 'import { a } from "./run/a.ts";\nimport type { B } from "./report/b.ts";',
    "cli/run/a.ts": 'import {\n  type C,\n} from "../study/c.ts";\nawait import("webgpu");',
    "cli/study/c.ts": 'export * from "zod";\nimport { Command } from "commander";',
  };
  const read = (file: string) => sources[file] ?? "";
  assert.deepEqual(heavyIn(loadedWith("cli/main.ts", { read })), [
    "cli/study/c.ts < cli/run/a.ts < cli/main.ts",
    "zod < cli/study/c.ts < cli/run/a.ts < cli/main.ts",
  ]);
});
