/**
 * How the page does with a model, in Chromium: `node --import tsx bench/page.ts <run or folder>`.
 *
 * Each round is a new browser, and a visit without anything kept: the page loads, takes the model
 * from its site, and answers about the example career. Writes `bench/results/page-<date>.json`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { findPage, pageFiles } from "../cli/run/served_files.ts";
import { serveModel } from "../cli/run/served_model.ts";
import { startWebServer, type WebServer } from "../cli/run/web_server.ts";
import { packageVersion } from "../cli/platform/version.ts";
import { launchChromium } from "../test/browser/chromium.ts";
import { librarySizes, pageSizes } from "../web/build/measure.ts";
import { medianBand } from "./report/statistics.ts";
import { commitOf } from "./result_file.ts";

/** What one visit measured, all in ms from the first request but where said. */
interface Visit {
  /** The page can be used: the career's form is there. */
  readonly shownMs: number;
  /** The model is on the device. */
  readonly loadedMs: number;
  /** From the question to its answer, shaders compiled: what the page measures of itself. */
  readonly firstPredictionMs: number;
  /** The same question of another year, with everything compiled. */
  readonly nextPredictionMs: number;
  /** The longest task of the main thread, of any origin. */
  readonly longestTaskMs: number;
}

const ROUNDS = 5;
/** For compilers of shaders on a CPU. */
const PATIENCE_MS = 60_000;

const [model] = process.argv.slice(2);
if (model === undefined) {
  throw new Error("Cannot measure the page: there must be a model, got none; name a run's folder");
}
const served = await serveModel(model);
const folder = await findPage();
const files = new Map([...(await pageFiles(folder)), ...served.files]);
const server = await startWebServer({ files });
const visits: Visit[] = [];
let browserVersion = "";
try {
  for (let round = 0; round < ROUNDS; round++) visits.push(await visit(server));
} finally {
  await server.close();
}
const figures = Object.fromEntries(
  (Object.keys(visits[0]!) as (keyof Visit)[]).map((name) => {
    const { middle, low, high } = medianBand(visits.map((each) => each[name]));
    return [name, { median: middle, low, high }];
  }),
);
const [cpu] = cpus();
const date = new Date().toISOString().slice(0, 10);
const result = {
  date,
  commit: commitOf(),
  browser: browserVersion,
  adapter: "SwiftShader",
  machine: { cpu: cpu?.model, cores: cpus().length },
  tenure: packageVersion(),
  model: { numFiles: served.files.size, bytes: served.bytes },
  rounds: ROUNDS,
  figures,
  sizes: [...(await librarySizes()), ...pageSizes(folder)],
};
mkdirSync("bench/results", { recursive: true });
const path = `bench/results/page-swiftshader-${date}.json`;
writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(figures, null, 2)}\n${path}\n`);

async function visit({ url }: WebServer): Promise<Visit> {
  const browser = await launchChromium();
  browserVersion = browser.version();
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const begin = performance.now();
    await page.goto(url);
    await page.getByRole("button", { name: /example/i }).waitFor();
    const shownMs = performance.now() - begin;
    await page
      .getByText(/weights, f32/)
      .first()
      .waitFor();
    const loadedMs = performance.now() - begin;
    await page.getByRole("button", { name: /example/i }).click();
    await page.locator("[data-probability]").first().waitFor();
    const { longestTaskMs, firstPredictionMs } = await page.evaluate(() => window.tenurePage!);
    const asked = performance.now();
    const before = await page
      .locator("[data-probability]")
      .first()
      .getAttribute("data-probability");
    const year = page.locator(".results-all").getByLabel("Year", { exact: true });
    await year.fill("2006");
    await year.press("Tab");
    await page.waitForFunction(
      (old) =>
        document.querySelector("[data-probability]")?.getAttribute("data-probability") !== old,
      before,
    );
    const nextPredictionMs = performance.now() - asked;
    return {
      shownMs,
      loadedMs,
      firstPredictionMs: firstPredictionMs!,
      nextPredictionMs,
      longestTaskMs: longestTaskMs ?? NaN,
    };
  } finally {
    await browser.close();
  }
}
