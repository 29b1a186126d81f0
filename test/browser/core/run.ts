import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../chromium.ts";
import { bundle } from "./bundle.ts";
import type { AdapterNote, CoreTests, FileOutcome } from "./page.ts";
import { serveTests } from "./serve.ts";

/** One test file's run in the browser. */
export interface FileRun extends FileOutcome {
  readonly file: string;
  readonly seconds: number;
}

/** What ran in the browser. */
export interface BrowserRun {
  readonly browser: string;
  readonly adapter: AdapterNote;
  readonly files: readonly FileRun[];
  /** Files that need what no browser has, with its name. */
  readonly leftOut: ReadonlyMap<string, string>;
}

/** Settings of {@linkcode runInBrowser}. */
export interface BrowserRunOptions {
  /** Most that one file may take. @default {300} */
  readonly timeoutSeconds?: number;
  /** Is told of each file as it ends. */
  readonly tell?: (run: FileRun) => void;
}

/** Runs test files in headless Chromium, one after another, each in a worker of its own. */
export async function runInBrowser(
  tests: readonly string[],
  { timeoutSeconds = 300, tell = () => {} }: BrowserRunOptions = {},
): Promise<BrowserRun> {
  const { files, entries, leftOut } = await bundle(tests);
  const server = await serveTests(files);
  let browser: Browser | undefined;
  let page: Page | undefined;
  try {
    const open = async (): Promise<Page> => {
      await browser?.close();
      browser = await launchChromium();
      return openPage(browser, server.origin);
    };
    page = await open();
    const adapter = await page.evaluate(() => coreTests.describeAdapter());
    const runs: FileRun[] = [];
    for (const [file, entry] of entries) {
      // A file that did not end may have left the GPU's process with work for minutes.
      if (runs.at(-1)?.problem !== undefined) page = await open();
      const run = { file, ...(await runFile(page, entry, timeoutSeconds)) };
      runs.push(run);
      tell(run);
    }
    return { browser: `Chromium ${browser!.version()}`, adapter, files: runs, leftOut };
  } finally {
    await browser?.close();
    await server.close();
  }
}

async function runFile(
  page: Page,
  entry: string,
  timeoutSeconds: number,
): Promise<FileOutcome & { readonly seconds: number }> {
  const begin = performance.now();
  const outcome = await page.evaluate(({ name, ms }) => coreTests.runFile(name, ms), {
    name: entry,
    ms: timeoutSeconds * 1000,
  });
  return { ...outcome, seconds: (performance.now() - begin) / 1000 };
}

/** What page.ts puts there. */
declare const coreTests: CoreTests;

async function openPage(browser: Browser, origin: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(origin);
  await page.waitForFunction(() => "coreTests" in globalThis);
  return page;
}

/** Everything that went wrong, one line or more each; nothing of a run without a failure. */
export function failuresOf({ files }: Pick<BrowserRun, "files">): string[] {
  return files.flatMap(({ file, outcomes, problem }) => [
    ...outcomes
      .filter(({ result }) => result === "failed")
      .map(({ name, reason }) => `${file}: ${name}\n${reason}`),
    ...(problem === undefined ? [] : [`${file}: ${problem}`]),
    ...(outcomes.length === 0 && problem === undefined ? [`${file}: it has no tests`] : []),
  ]);
}
