import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type OutputChunk, type Plugin, rolldown } from "rolldown";
import * as nodeAssert from "./node_assert.ts";
import * as nodeFiles from "./node_files.ts";
import * as nodeTest from "./node_test.ts";

/** The repository's folder, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Modules of Node that tests may import, and what stands for them in a browser. */
const STAND_INS: ReadonlyMap<string, { readonly file: string; readonly names: readonly string[] }> =
  new Map([
    ["node:assert/strict", { file: "node_assert.ts", names: Object.keys(nodeAssert) }],
    ["node:fs", { file: "node_files.ts", names: Object.keys(nodeFiles) }],
    ["node:fs/promises", { file: "node_files.ts", names: Object.keys(nodeFiles) }],
    ["node:test", { file: "node_test.ts", names: Object.keys(nodeTest) }],
    ["node:url", { file: "node_files.ts", names: Object.keys(nodeFiles) }],
  ]);

/** Test files as modules of a browser. */
export interface Bundle {
  /** Code by file name, all in one folder. */
  readonly files: ReadonlyMap<string, string>;
  /** The module that a worker runs, by test file; those left out have none. */
  readonly entries: ReadonlyMap<string, string>;
  /** Test files that need what no browser has, with its name. */
  readonly leftOut: ReadonlyMap<string, string>;
}

/**
 * Bundles test files as they are. Each becomes the module of a worker that runs its tests and
 * posts their outcomes. A file whose imports reach a module of Node without a stand-in is left out.
 *
 * @param tests Paths from the repository's folder.
 */
export async function bundle(tests: readonly string[]): Promise<Bundle> {
  const names = new Map(tests.map((test) => [test.replaceAll(/[^\w]+/g, "_"), test]));
  const page = `${ROOT}test/browser/core/page.ts`;
  const build = await rolldown({
    input: {
      page,
      ...Object.fromEntries([...names].map(([name, test]) => [name, `${PREFIX}${test}`])),
    },
    cwd: ROOT,
    plugins: [browserPlugin()],
    platform: "browser",
    // The package says that its modules have no effects; tests have nothing else.
    treeshake: false,
    logLevel: "silent",
  });
  const { output } = await build.generate({ format: "esm", entryFileNames: "[name].js" });
  await build.close();
  const chunks = output.filter((file) => file.type === "chunk");
  const files = new Map(chunks.map(({ fileName, code }) => [fileName, code]));
  const entries = new Map<string, string>();
  const leftOut = new Map<string, string>();
  for (const [name, test] of names) {
    const needed = nodeModuleOf(`${name}.js`, chunks);
    if (needed === undefined) entries.set(test, `${name}.js`);
    else leftOut.set(test, needed);
  }
  return { files, entries, leftOut };
}

/** Modules of Node, and packages of compiled code for Node. */
const NATIVE = /^(?:node:.*|tokenizers|webgpu)$/;
const PREFIX = "\0worker:";
const STAND_IN = "stand-in:";

/** Puts the stand-ins in place, and tells modules where the server has their files. */
function browserPlugin(): Plugin {
  return {
    name: "tests-in-a-browser",
    resolveId(source) {
      if (source.startsWith(PREFIX)) return source;
      if (source.startsWith(STAND_IN))
        return `${ROOT}test/browser/core/${source.slice(STAND_IN.length)}`;
      return NATIVE.test(source) ? { id: source, external: true } : null;
    },
    load(id) {
      if (!id.startsWith(PREFIX)) return null;
      const test = JSON.stringify(ROOT + id.slice(PREFIX.length));
      const runner = JSON.stringify(`${ROOT}test/browser/core/worker.ts`);
      // The second import runs when the first has registered its tests.
      return `import ${test};\nimport { report } from ${runner};\nawait report();\n`;
    },
    transform(code, id) {
      if (id.includes("/node_modules/")) return null;
      const path = relative(ROOT, id).replaceAll("\\", "/");
      const address = `new URL(${JSON.stringify(`/files/repository/${path}`)}, globalThis.location.origin).href`;
      const placed = code.replaceAll("import.meta.url", address);
      return path.startsWith("test/") ? withStandIns(placed) : placed;
    },
  };
}

/** Source whose imports of Node name the stand-ins, where these have all that is imported. */
function withStandIns(code: string): string {
  const pattern = /^import (?:(\w+)|\{([^}]*)\}) from "(node:[^"]+)";/gm;
  return code.replaceAll(
    pattern,
    (all: string, whole: string | undefined, list = "", module = "") => {
      const standIn = STAND_INS.get(module);
      const names = whole === undefined ? namesIn(list) : ["default"];
      if (standIn === undefined || !names.every((name) => standIn.names.includes(name))) return all;
      return all.replace(`"${module}"`, `"${STAND_IN}${standIn.file}"`);
    },
  );
}

/** What an import takes besides types. */
function namesIn(list: string): string[] {
  return list.split(",").flatMap((part) => {
    const name = part.trim().split(" as ")[0]!;
    return name === "" || name.startsWith("type ") ? [] : [name];
  });
}

/** The first module of Node that a chunk reaches by static imports. */
function nodeModuleOf(
  fileName: string,
  chunks: readonly OutputChunk[],
  seen = new Set<string>(),
): string | undefined {
  if (seen.has(fileName)) return undefined;
  seen.add(fileName);
  const chunk = chunks.find((one) => one.fileName === fileName);
  if (chunk === undefined) return fileName;
  for (const name of chunk.imports) {
    const found = nodeModuleOf(name, chunks, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}
