import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { gzipSync } from "node:zlib";
import { bundle, ROOT } from "./bundle.ts";

/** Bytes of something after gzip, level 9, and what it may have at most. */
export interface Size {
  readonly what: string;
  readonly gzipBytes: number;
  /** In kB of 1000 bytes; none if there is no promise. */
  readonly limitKb?: number;
}

/** What was promised: 60 kB for the engine, 250 kB for the page. */
const ENGINE_LIMIT_KB = 60;
const PAGE_LIMIT_KB = 250;

/** Devices, tensors, ops, plans, and the kernels that they run. */
const ENGINE = new RegExp(`^${ROOT}(?:engine|shaders)/|/node_modules/wgsl-preprocessor/`);

/** Rooms of the engine that neither predict nor train: they measure. */
const MEASURING = /^\.\/(?:profile\/|tuning\/mod\.ts)/;

/** Scores one career with as little as that takes, through the package's own entries. */
const SCORE_ONE_CAREER = `
import { personOf, resumeOptions, titleTokens } from "/data/mod.ts";
import { Gpu } from "/engine/mod.ts";
import { LanguageModel, loadTransformer, openPretrained, tokenizerOfModel } from "/model/mod.ts";
export async function score(adapter, url, career, wording, index) {
  const gpu = await Gpu.open(adapter);
  const stored = await openPretrained(url);
  const tokenizer = tokenizerOfModel(stored);
  const titles = titleTokens(tokenizer, resumeOptions(wording));
  const transformer = await loadTransformer(gpu, stored);
  const model = new LanguageModel(gpu, transformer, { name: "model", titles, tolerance: 0 });
  return model.distribution(personOf(career, tokenizer, wording), index);
}`;

/** Sizes of what is bundled from the sources, of all parts that are promised or of interest. */
export async function librarySizes(): Promise<Size[]> {
  const [predicting, whole, score] = [
    await bundle('export * from "/web/worker.ts";', {
      group: { name: "engine", test: ENGINE },
      isStatic: true,
    }),
    await bundle(wholeEngine()),
    await bundle(SCORE_ONE_CAREER),
  ];
  const engine = predicting.filter(({ name }) => name === "engine");
  if (engine.length !== 1) throw new Error("Cannot measure the engine: it must be one chunk");
  return [
    {
      what: "engine, as the page loads it to predict",
      gzipBytes: gzipped(engine),
      limitKb: ENGINE_LIMIT_KB,
    },
    { what: "engine, every op and kernel there is", gzipBytes: gzipped(whole) },
    { what: "score one career, with model and data", gzipBytes: gzipped(score) },
  ];
}

/** Sizes of a built page: what loads before one can predict, and all files together. */
export function pageSizes(folder: string): Size[] {
  const all = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", posix.sep))
    .filter((name) => statSync(join(folder, name)).isFile());
  const sizeOf = (names: readonly string[]) =>
    names.reduce((sum, name) => sum + gzip(readFileSync(join(folder, name))), 0);
  return [
    {
      what: "page with its workers, before a tab is opened or a file is chosen",
      gzipBytes: sizeOf(startFiles(folder)),
      limitKb: PAGE_LIMIT_KB,
    },
    {
      what: "page, all its files",
      gzipBytes: sizeOf(all.filter((name) => name !== "licenses.txt")),
      limitKb: PAGE_LIMIT_KB,
    },
  ];
}

/**
 * Files of a built page that its HTML names, those that they import at once, and workers that
 * start with them, in turn.
 */
export function startFiles(folder: string): string[] {
  const found = new Set<string>();
  const visit = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    if (!/\.(html|js)$/.test(name)) return;
    const text = readFileSync(join(folder, name), "utf8");
    const names = name.endsWith(".html") ? referencesOf(text) : importsOf(text);
    for (const path of names) visit(posix.join(posix.dirname(name), path));
  };
  visit("index.html");
  return [...found];
}

function referencesOf(html: string): string[] {
  return Array.from(html.matchAll(/(?:src|href)="\.\/([^"]+)"/g), ([, path]) => path!);
}

/** What a minified module imports at once, and the workers that it starts. */
function importsOf(code: string): string[] {
  const atOnce = code.matchAll(/\b(?:from|import)\s*["'`](\.[^"'`]+)["'`]/g);
  const workers = code.matchAll(/new Worker\((?:new URL\()+["'`]([^"'`]+)["'`]/g);
  return [...atOnce, ...workers].map(([, path]) => path!);
}

function wholeEngine(): string {
  const source = readFileSync(join(ROOT, "engine/mod.ts"), "utf8");
  return Array.from(source.matchAll(/^export [^;]*?from "(\.\/[^"]+)";$/gm), ([, path]) => path!)
    .filter((path) => !MEASURING.test(path))
    .map((path) => `export * from "/engine/${path.slice(2)}";`)
    .join("\n");
}

function gzipped(chunks: readonly { readonly code: string }[]): number {
  return chunks.reduce((sum, { code }) => sum + gzip(Buffer.from(code)), 0);
}

function gzip(bytes: Uint8Array): number {
  return gzipSync(bytes, { level: 9 }).length;
}
