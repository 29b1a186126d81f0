import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { build } from "vite";
import { pageFiles, type ServedFiles } from "../../cli/run/served_files.ts";
import { serveModel } from "../../cli/run/served_model.ts";
import { type SeenRequest, startWebServer, type WebServer } from "../../cli/run/web_server.ts";
import { prepareFew, trainTiny } from "../cli/run_support.ts";
import { launchChromium } from "./chromium.ts";

/** Long enough for a software GPU on a busy machine. */
const PATIENCE_MS = 60_000;

/** Run when a file's tests are over, the last one first. */
const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers.toReversed()) await close();
});

/** Starts the browser of a file's tests, which ends with them. */
export async function openBrowser(more: readonly string[] = []): Promise<Browser> {
  const browser = await launchChromium(more);
  closers.push(() => browser.close());
  return browser;
}

/** Builds the page as it is published, into a folder that is removed when the tests are over. */
export async function buildPage(): Promise<string> {
  const outDir = mkdtempSync(join(tmpdir(), "tenure-page-"));
  closers.push(() => rmSync(outDir, { recursive: true }));
  await build({ configFile: "web/vite.config.ts", logLevel: "warn", build: { outDir } });
  return outDir;
}

/** Builds the page, and trains a tiny model in a folder meanwhile. */
export async function buildPageAndRun(
  folder: string,
): Promise<{ readonly page: string; readonly run: string }> {
  const [dataFolder, run] = [join(folder, "data"), join(folder, "run")];
  const train = async () => {
    await prepareFew(dataFolder);
    await trainTiny({ dataFolder, runFolder: run });
  };
  const [page] = await Promise.all([buildPage(), train()]);
  return { page, run };
}

/** The server of `tenure web`, with what it was asked for. */
export interface Site extends WebServer {
  readonly requests: SeenRequest[];
}

/** Serves a built page, with a model or without, as `tenure web` does. */
export async function serveSite(
  folder: string,
  options: { readonly model?: string; readonly files?: ServedFiles } = {},
): Promise<Site> {
  const { model, files: more = new Map() } = options;
  const served = model === undefined ? new Map() : (await serveModel(model)).files;
  const requests: SeenRequest[] = [];
  const server = await startWebServer({
    files: new Map([...(await pageFiles(folder)), ...served, ...more]),
    port: 0,
    onRequest: (request) => requests.push(request),
  });
  closers.push(() => server.close());
  return { ...server, requests };
}

/** A page in a browser, and what went on in it. */
export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Addresses of all requests: of the page, its workers, its service worker. */
  readonly requested: string[];
  /** Errors on the console, in scripts, and of the page's policy. */
  readonly problems: string[];
  readonly close: () => Promise<void>;
}

/** How a page is opened. */
export interface VisitOptions extends BrowserContextOptions {
  /** Runs in the page before anything else. */
  readonly init?: string;
}

/** Opens a page in a browser of its own: nothing is kept from one visit to the next. */
export async function visit(
  browser: Browser,
  url: string,
  { init, ...options }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser.newContext({ ...options });
  const [requested, problems]: string[][] = [[], []];
  context.on("request", (request) => requested!.push(request.url()));
  context.on("console", (message) => {
    const isOfPolicy = /policy/i.test(message.text()); // some of which are but warnings
    if (message.type() === "error" || isOfPolicy) problems!.push(message.text());
  });
  context.on("weberror", (error) => problems!.push(String(error.error())));
  if (init !== undefined) await context.addInitScript(init);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(url);
  return {
    context,
    page,
    requested: requested!,
    problems: problems!,
    close: () => context.close(),
  };
}

/** Opens a page that is served with a model, and waits until it answers. */
export async function visitWithModel(
  browser: Browser,
  { url }: WebServer,
  options: VisitOptions = {},
): Promise<Visit> {
  const opened = await visit(browser, url, options);
  await opened.page.getByText(/(thousand|million) weights/).waitFor();
  return opened;
}

/** Fails if anything was wrong while the page was open, or it asked anybody but its server. */
export function assertClean({ requested, problems }: Visit, { url }: WebServer): void {
  assert.deepEqual(problems, []);
  const elsewhere = requested.filter(
    (address) => !address.startsWith(url) && !address.startsWith(`blob:${url}`),
  );
  assert.deepEqual(elsewhere, [], "the page must ask its own server alone");
}

/** Waits until the server is asked nothing for a while: everything is loaded and kept. */
export async function quietDown({ requests }: Site, ms = 700): Promise<void> {
  for (let seen = -1; seen !== requests.length;) {
    seen = requests.length;
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/** The probabilities on view, by the occupation's code. */
export async function readProbabilities(page: Page): Promise<Map<string, number>> {
  const pairs = await page.locator(".bars:not(.changes) > [data-code]").evaluateAll((rows) =>
    rows.map((row) => {
      const value = row.querySelector<HTMLElement>("[data-probability]")!.dataset["probability"];
      return [(row as HTMLElement).dataset["code"]!, Number(value)] as const;
    }),
  );
  return new Map(pairs);
}
