import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";
import { importsOf } from "./import_statements.ts";

/** What the files of a folder may import besides the folder itself. */
interface Allowance {
  /** Paths from the root, or packages; a trailing slash stands for all below. */
  readonly values?: readonly string[];
  /** The same for `import type`, which leaves no trace at run time. */
  readonly types?: readonly string[];
}

/** The dependencies between the core folders; anything else is a mistake. */
const MAY_IMPORT: Readonly<Record<string, Allowance>> = {
  shaders: {},
  engine: { values: ["shaders/"] },
  model: { values: ["engine/"], types: ["data/"] },
  data: {
    values: [
      "@huggingface/jinja",
      "@huggingface/tokenizers",
      "fflate",
      "hyparquet",
      "hyparquet-writer",
      "yaml",
      "zod",
    ],
  },
  // What a page measures, too; the rest of the benchmarks knows Node.
  "bench/cases": { values: ["engine/", "model/", "bench/report/"] },
  "bench/report": {},
};

/** Single files, and rooms with a trailing slash, that may import more than their folder. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  // Somebody's model is weights and tokenizer together.
  "model/pretrained/": ["data/tokenizer/", "data/chat_template.ts"],
  "shaders/wgsl.ts": ["wgsl-preprocessor/wgsl-preprocessor.js"],
};

/** The imports of one file that the table does not allow. */
function violations(file: string, source: string): string[] {
  const folder = Object.keys(MAY_IMPORT).find((name) => file.startsWith(`${name}/`))!;
  const { values = [], types = [] } = MAY_IMPORT[folder]!;
  return importsOf(source)
    .filter(({ specifier, isType }) => {
      const target = specifier.startsWith(".")
        ? posix.join(posix.dirname(file), specifier)
        : specifier;
      const allowed = [
        `${folder}/`,
        ...values,
        ...(isType ? types : []),
        ...(EXCEPTIONS[file] ?? EXCEPTIONS[`${posix.dirname(file)}/`] ?? []),
      ];
      return !allowed.some((path) =>
        path.endsWith("/") ? target.startsWith(path) : target === path,
      );
    })
    .map(({ specifier }) => specifier);
}

for (const folder of Object.keys(MAY_IMPORT)) {
  test(`${folder}/ imports only what the table allows`, () => {
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (name) => name.endsWith(".ts") && !name.endsWith(".d.ts"),
    );
    assert.ok(names.length > 0, `${folder}/ must hold sources`);
    for (const name of names) {
      const file = posix.join(folder, name.replaceAll("\\", "/"));
      const found = violations(file, readFileSync(file, "utf8"));
      assert.deepEqual(found, [], `${file} must not import ${found.join(", ")}`);
    }
  });
}

test("the import table catches each kind of violation", () => {
  const planted: readonly (readonly [string, string, readonly string[]])[] = [
    ["shaders/a.ts", 'import { Gpu } from "../engine/gpu.ts";', ["../engine/gpu.ts"]],
    [
      "shaders/a.ts",
      'import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";',
      ["wgsl-preprocessor/wgsl-preprocessor.js"],
    ],
    ["engine/ops/a.ts", 'import { open } from "node:fs";', ["node:fs"]],
    ["engine/a.ts", 'export { x } from "../model/mod.ts";', ["../model/mod.ts"]],
    ["model/a.ts", 'import { pack } from "../data/packing.ts";', ["../data/packing.ts"]],
    [
      "model/a.ts",
      'import { type Batch, pack } from "../data/packing.ts";',
      ["../data/packing.ts"],
    ],
    ["model/pretrained/a.ts", 'import { pack } from "../../data/pack.ts";', ["../../data/pack.ts"]],
    ["model/a.ts", 'const k = await import("../shaders/mod.ts");', ["../shaders/mod.ts"]],
    ["data/a.ts", 'import "../model/mod.ts";', ["../model/mod.ts"]],
    ["bench/cases/a.ts", 'import { cpus } from "node:os";', ["node:os"]],
    ["bench/cases/a.ts", 'import { x } from "../main.ts";', ["../main.ts"]],
    [
      "bench/report/a.ts",
      'import type { Gpu } from "../../engine/gpu.ts";',
      ["../../engine/gpu.ts"],
    ],
    ["data/a.ts", 'import type { Tensor } from "../engine/tensor.ts";', ["../engine/tensor.ts"]],
    ["data/a.ts", 'import {\n  a,\n  b,\n} from "webgpu";', ["webgpu"]],
  ];
  for (const [file, source, expected] of planted) {
    assert.deepEqual(violations(file, source), expected, `${file}: ${source}`);
  }
});

test("the import table lets through what it allows", () => {
  const allowed: readonly (readonly [string, string])[] = [
    ["shaders/wgsl.ts", 'import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";'],
    ["engine/ops/a.ts", 'import { rmsNorm } from "../../shaders/rms_norm.wgsl.ts";'],
    ["model/train/a.ts", 'import type { Batch } from "../../data/batch.ts";'],
    ["data/a.ts", 'import { Tokenizer } from "@huggingface/tokenizers";'],
    ["model/pretrained/a.ts", 'import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";'],
    ["data/a.ts", '// import { x } from "../model/mod.ts";'],
  ];
  for (const [file, source] of allowed) assert.deepEqual(violations(file, source), [], source);
});
