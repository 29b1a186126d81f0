import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { build, type InlineConfig } from "vite";
import { inMemory, pageFiles, type ServedFiles } from "../../cli/run/served_files.ts";
import { mimeType } from "../../cli/run/web_headers.ts";
import { OCCUPATIONS } from "../../data/occupations.ts";
import type { Engine } from "../../web/mod.ts";
import { expectedStory, missing } from "../pretrained/stories.ts";
import { assertClose } from "../support.ts";
import { CAREERS, careerFiles, chosen, collect, localEngine } from "../web/engine_support.ts";
import { FileServer } from "../web/file_server.ts";
import { listingOf } from "../web/model_files.ts";
import { noChromium } from "./chromium.ts";
import { assertClean, openBrowser, serveSite, visit } from "./page_support.ts";

/**
 * Node's Dawn runs on lavapipe with subgroups of 8, Chromium's on SwiftShader with subgroups of 4:
 * sums in another order differ in the last bits of f32, and each step passes that on.
 */
const LOSS_TOLERANCE = 1e-4;

const skip = noChromium;

/** What the page's script leaves there. */
declare const engine: Engine;

let browser: Browser;
const folder = mkdtempSync(join(tmpdir(), "tenure-engine-page-"));
after(() => rmSync(folder, { recursive: true }));
const career = skip === false ? await careerFiles() : new Map<string, Uint8Array<ArrayBuffer>>();

before(async () => {
  if (skip !== false) return;
  browser = await openBrowser();
  await buildInto("engine", { root: "test/browser/engine_page" });
});

async function buildInto(name: string, config: InlineConfig): Promise<string> {
  const outDir = join(folder, name);
  await build({
    configFile: false,
    base: "./",
    logLevel: "error",
    worker: { format: "es" },
    ...config,
    build: { outDir, emptyOutDir: true, modulePreload: false, assetsInlineLimit: 0 },
  });
  return outDir;
}

function servedFiles(files: Iterable<readonly [string, Uint8Array]>, below: string): ServedFiles {
  return new Map(
    Array.from(files, ([name, bytes]) => [`${below}/${name}`, inMemory(bytes, mimeType(name))]),
  );
}

/** Opens the page with an engine, beside some models. */
async function openEngine(
  files: ServedFiles,
): Promise<Awaited<ReturnType<typeof visit>> & { readonly check: () => void }> {
  const site = await serveSite(join(folder, "engine"), { files });
  const opened = await visit(browser, site.url);
  await opened.page.waitForFunction(() => "engine" in globalThis);
  return { ...opened, check: () => assertClean(opened, site) };
}

test("stories260K writes its exact text in Chromium", { skip: skip || missing }, async () => {
  const place = new URL("../../../shared/fixtures/stories260K/", import.meta.url);
  const names = ["stories260K.bin", "tok512.bin"];
  const files = await Promise.all(
    names.map(
      async (name) => [name, new Uint8Array(await readFile(new URL(name, place)))] as const,
    ),
  );
  const { page, check, close } = await openEngine(servedFiles(files, "stories"));
  const text = await page.evaluate(async (paths) => {
    const loaded = paths.map(async (path) => {
      const response = await fetch(new URL(`stories/${path}`, location.href));
      return { path, blob: await response.blob() };
    });
    await engine.load({ kind: "files", files: await Promise.all(loaded) });
    let all = "";
    const options = { maxNewTokens: 200, temperature: 0, ignoreEnd: true };
    for await (const piece of engine.generate("", options)) all += piece;
    return all;
  }, names);
  assert.equal(text, await expectedStory());
  check();
  await close();
});

test("fine-tuning in Chromium has the losses of fine-tuning in Node", { skip }, async () => {
  const options = { steps: 6, batchTokens: 256, learningRate: 1e-2, seed: 1 };
  const { page, check, close } = await openEngine(
    servedFiles([...career, ["index.json", listingOf(Object.fromEntries(career))]], "careers"),
  );
  const here = localEngine();
  await here.load(chosen(career));
  const [expected, found] = await Promise.all([
    collect(here.fineTune(CAREERS, options)).then((steps) => steps.map(({ loss }) => loss)),
    page.evaluate(
      async ([people, how]) => {
        await engine.load({ kind: "url", url: new URL("careers/", location.href).href });
        const losses: number[] = [];
        for await (const { loss } of engine.fineTune(people, how)) losses.push(loss);
        return losses;
      },
      [CAREERS, options] as const,
    ),
  ]);
  assert.equal(found.length, options.steps);
  assert.ok(found.at(-1)! < found[0]! - 0.1, `the loss must fall, got ${found.join(", ")}`);
  assertClose(found, expected, {
    what: "losses",
    atol: LOSS_TOLERANCE,
    rtol: LOSS_TOLERANCE,
  });
  check();
  await close();
});

test(
  "the example page lists the next occupations that an engine in Node finds",
  { skip },
  async () => {
    const outDir = await buildInto("example", {
      root: "examples/next_occupation",
      resolve: { alias: { "tenure/web": resolve("web/mod.ts") } },
    });
    const built = [...(await pageFiles(outDir))].map(
      ([name, { body }]) => [name, body as Uint8Array] as const,
    );
    const model = [...career, ["index.json", listingOf(Object.fromEntries(career))] as const];
    await using server = await FileServer.start(
      Object.fromEntries([
        ...built,
        ...model.map(([name, bytes]) => [`model/${name}`, bytes] as const),
      ]),
    );
    const opened = await visit(browser, `${server.url}index.html`);
    const titles = await listed(opened.page);
    const here = localEngine();
    await here.load(chosen(career));
    const years = ["458", "458", "275"].map((occupation, i) => ({ year: 1991 + i, occupation }));
    const { probabilities } = await here.predict({
      id: "visitor",
      gender: "female",
      ethnicity: "white",
      birthYear: 1970,
      observations: years.map((one) => ({ ...one, education: "high school" as const })),
    });
    const ranked = OCCUPATIONS.map(({ title }, i) => ({ title, share: probabilities[i]! }))
      .toSorted((a, b) => b.share - a.share)
      .slice(0, 5)
      .map(({ title, share }) => `${title}: ${(100 * share).toFixed(1)} %`);
    assert.deepEqual(titles, ranked);
    assert.deepEqual(opened.problems, []);
    await opened.close();
  },
);

async function listed(page: Page): Promise<string[]> {
  await page.getByText(/^Likely in \d+:$/).waitFor({ timeout: 60_000 });
  return page.locator("ol > li").allInnerTexts();
}
