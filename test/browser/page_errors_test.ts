import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { inMemory, pageFiles, type ServedFiles } from "../../cli/run/served_files.ts";
import { mimeType } from "../../cli/run/web_headers.ts";
import { temporaryFolder } from "../cli/run_support.ts";
import { noChromium } from "./chromium.ts";
import {
  buildPageAndRun,
  openBrowser,
  readProbabilities,
  serveSite,
  type Site,
  type Visit,
  visit,
  visitWithModel,
} from "./page_support.ts";

const skip = noChromium;
const folder = temporaryFolder();
const run = join(folder, "run");

let browser: Browser;
let built: string;
let site: Site;
/** The model as a folder of its own. */
let model: string;

before(async () => {
  if (skip !== false) return;
  ({ page: built } = await buildPageAndRun(folder));
  model = join(
    run,
    readdirSync(run).find((name) => name.startsWith("checkpoint-"))!,
  );
  site = await serveSite(built);
  browser = await openBrowser();
});

/** Opens the page on a tab, without a model. */
async function open(tab: string, at: Site = site): Promise<Visit> {
  const opened = await visit(browser, `${at.url}#${tab}`);
  await opened.page
    .getByText(/swiftshader/i)
    .first()
    .waitFor();
  return opened;
}

/** Paths of a model's files, but for what only training needs. */
const modelPaths = (path: string): string[] =>
  readdirSync(path)
    .filter((name) => name !== "optimizer.safetensors")
    .map((name) => join(path, name));

const chooseFiles = (page: Page, files: Parameters<Page["setInputFiles"]>[1]) =>
  page.locator("input[type=file][multiple]").setInputFiles(files);

/** The problem that the page shows: what happened, and what to do. */
async function problem(page: Page): Promise<{ readonly message: string; readonly remedy: string }> {
  const [message = "", remedy = ""] = await page
    .getByRole("alert")
    .locator(".notice p")
    .allInnerTexts()
    .then(async (texts) => {
      if (texts.length > 0) return texts;
      await page.getByRole("alert").locator(".notice").waitFor();
      return page.getByRole("alert").locator(".notice p").allInnerTexts();
    });
  return { message, remedy };
}

/** The page's files, whose engine runs `code` before its own in the worker. */
async function withWorker(code: string): Promise<ServedFiles> {
  const files = await pageFiles(built);
  const [name] = [...files.keys()].filter((path) => path.startsWith("assets/worker-"));
  const source = `${code}\n${readFileSync(join(built, name!), "utf8")}`;
  return new Map([[name!, inMemory(new TextEncoder().encode(source), mimeType(name!))]]);
}

test(
  "without WebGPU, the page says so, says what helps, and what works all the same",
  { skip },
  async () => {
    const { page, close, problems } = await visit(browser, site.url, {
      init: 'Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined });',
    });
    const advice = page.getByRole("complementary", { name: "This browser cannot run the model" });
    await advice.waitFor();
    assert.match(await advice.innerText(), /WebGPU[\s\S]*What works all the same/);
    await page.getByRole("button", { name: "Try an example" }).click();
    assert.match(await page.locator(".missing").innerText(), /There is no model yet/);
    assert.deepEqual(problems, []);
    await close();
  },
);

test(
  "without an adapter in the worker, the page says what the engine found",
  { skip },
  async () => {
    const files = await withWorker("navigator.gpu.requestAdapter = async () => null;");
    const broken = await serveSite(built, { files });
    const { page, close } = await visit(browser, broken.url);
    const advice = page.getByRole("complementary", { name: "This browser cannot run the model" });
    await advice.waitFor();
    assert.match(await advice.innerText(), /that failed: .*adapter/);
    await close();
  },
);

test(
  "a device without 16-bit arithmetic is a limitation that the page tells",
  { skip },
  async () => {
    const { page, close } = await open("model");
    const lacks = page.getByRole("region", { name: "Your graphics processor" });
    await lacks.getByText("What it lacks").waitFor();
    assert.match(await lacks.innerText(), /no 16-bit arithmetic: weights of 16 bits are unpacked/);
    await page
      .getByText(/f16 .*no shader-f16|not on this graphics processor/)
      .first()
      .waitFor();
    assert.ok(await page.getByRole("radio", { name: "f16" }).isDisabled());
    await close();
  },
);

test("a damaged model is refused: what is wrong, and what to do", { skip }, async () => {
  const opened = await open("model");
  const { page } = opened;
  const files = modelPaths(model).map((path) => {
    const buffer = readFileSync(path);
    const name = path.split("/").at(-1)!;
    if (name === "model.safetensors") buffer[buffer.length - 5]! ^= 1;
    return { name, mimeType: "application/octet-stream", buffer };
  });
  await chooseFiles(page, files);
  const { message, remedy } = await problem(page);
  assert.match(message, /model\.safetensors.*SHA-256|sum/);
  assert.match(remedy, /again/);
  assert.match(await page.locator(".masthead").innerText(), /none yet/);
  assert.deepEqual(opened.problems, []);
  await opened.close();
});

test(
  "a model that is too large for what the browser allows is not kept in part",
  { skip },
  async () => {
    const opened = await open("model");
    const { page, context } = opened;
    const session = await context.newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", {
      origin: new URL(site.url).origin,
      quotaSize: 40_000,
    });
    await chooseFiles(page, modelPaths(model));
    const { message, remedy } = await problem(page);
    assert.match(message, /storage|room|space|bytes|kB/i);
    assert.match(remedy, /[Rr]emove|[Ff]ree|[Dd]elete/);
    await page.getByText("None.", { exact: true }).waitFor();
    await opened.close();
  },
);

test("a device that runs out of memory says so, and the page goes on", { skip }, async () => {
  const files = await withWorker(`
    const { pushErrorScope, popErrorScope, createBuffer } = GPUDevice.prototype;
    let [isFull, scopes] = [false, []];
    GPUDevice.prototype.pushErrorScope = function (filter) {
      scopes.push({ filter, isFull: false });
      return pushErrorScope.call(this, filter);
    };
    GPUDevice.prototype.createBuffer = function (descriptor) {
      if (descriptor.size > 20_000 && !/readback/.test(descriptor.label))
        for (const scope of scopes) if (scope.filter === "out-of-memory") scope.isFull = true;
      return createBuffer.call(this, descriptor);
    };
    GPUDevice.prototype.popErrorScope = function () {
      const { isFull } = scopes.pop();
      const real = popErrorScope.call(this);
      return isFull ? real.then(() => new GPUOutOfMemoryError("Not enough memory left")) : real;
    };`);
  const full = await serveSite(built, { files });
  const opened = await open("model", full);
  await chooseFiles(opened.page, modelPaths(model));
  const { message, remedy } = await problem(opened.page);
  assert.match(message, /Cannot (allocate|hold).*Not enough memory left/);
  assert.match(remedy, /fewer bits|smaller/);
  assert.match(await opened.page.locator(".masthead").innerText(), /none yet/);
  await opened.close();
});

test(
  "a device that is lost comes back with the model, and the same answers",
  { skip },
  async () => {
    const own = await openBrowser();
    const withModel = await serveSite(built, { model: run });
    const { page, close } = await visitWithModel(own, withModel);
    await page.getByRole("button", { name: "Try an example" }).click();
    await page.getByRole("button", { name: "Show all 335" }).waitFor();
    const expected = await readProbabilities(page);
    const session = await own.newBrowserCDPSession();
    await session.send("Browser.crashGpuProcess").catch(() => undefined);
    await page
      .getByRole("status")
      .getByText(/was lost .*opened again; the model is back/)
      .waitFor();
    await page.getByLabel("Education then").selectOption("college");
    await page.getByText(/with “college” as education/).waitFor();
    await page.getByLabel("Education then").selectOption("high school");
    await page.getByText(/with “high school” as education/).waitFor();
    const found = await readProbabilities(page);
    assert.deepEqual(found, expected, "the same kernels on the same device give the same bits");
    await close();
    await own.close();
  },
);

test("two tabs: a model that one of them uses is not deleted by the other", { skip }, async () => {
  const first = await open("model");
  await chooseFiles(first.page, modelPaths(model));
  await first.page.getByText(/thousand weights/).waitFor();
  const second = await first.context.newPage();
  await second.goto(`${site.url}#model`);
  const remove = second.getByRole("button", { name: /delete/i });
  await remove.click();
  await remove.click();
  const { message, remedy } = await problem(second);
  assert.match(message, /another|other|in use/i);
  assert.match(remedy, /tab/);
  await first.page.getByRole("button", { name: "Unload" }).click();
  await first.page.getByText("Nothing can be predicted without one").waitFor();
  await first.close();
});

test("a huge table is refused or cut with a word, and the page goes on", { skip }, async () => {
  const opened = await open("fine-tune");
  const { page } = opened;
  const path = join(folder, "huge.csv");
  const line = `1,${"x".repeat(900)}\n`;
  writeFileSync(path, `id,${"y".repeat(10)}\n${line.repeat(80_000)}`);
  await page.getByLabel(/Careers to train on/).setInputFiles(path);
  const { message } = await problem(page);
  assert.match(message, /Cannot read huge\.csv|huge\.csv/);
  const measured = await page.evaluate(() => 1 + 1);
  assert.equal(measured, 2);
  await page.goto(`${site.url}#career`);
  await page.locator("#career-file").setInputFiles(path);
  const second = await problem(page);
  assert.match(second.message, /huge\.csv/);
  assert.deepEqual(opened.problems, []);
  await opened.close();
});
