import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Browser, BrowserContext, Page, Worker } from "playwright-core";
import type { openModelStore as OpenModelStore } from "../../web/store/model_store.ts";
import { FileServer } from "../web/file_server.ts";
import { listingOf, modelFiles, sha256Of } from "../web/model_files.ts";
import { bundled } from "./bundled.ts";
import { launchChromium, noChromium } from "./chromium.ts";

/** What a worker of these tests has. */
declare const openModelStore: typeof OpenModelStore;

const files = modelFiles();
const WORKER = "new Worker('worker.js', { type: 'module' });";

let server: FileServer;
let browser: Browser;

/** Ends a test's context with it. */
function newContext(): Promise<BrowserContext> {
  return browser.newContext();
}

/** A tab, and the worker in it that has the store. */
async function openTab(context: BrowserContext): Promise<{ page: Page; worker: Worker }> {
  const page = await context.newPage();
  const [worker] = await Promise.all([
    page.waitForEvent("worker"),
    page.goto(`${server.url}index.html`),
  ]);
  // The worker is there before its script has run.
  await worker.evaluate(async () => {
    const scope = globalThis as { openModelStore?: unknown };
    while (scope.openModelStore === undefined) await new Promise((next) => setTimeout(next, 10));
  });
  return { page, worker };
}

/** Saves the server's model; what came of it, in plain words. */
function save(worker: Worker): Promise<{ id?: string; kind?: string; message?: string }> {
  return worker.evaluate(async (url) => {
    try {
      const { id } = await openModelStore().save({ kind: "url", url });
      return { id };
    } catch (error) {
      const { kind, message } = error as { kind: string; message: string };
      return { kind, message };
    }
  }, `${server.url}model/`);
}

/** Removes a model; what went wrong, if anything. */
function remove(worker: Worker, id: string): Promise<string> {
  return worker.evaluate(
    (which) =>
      openModelStore()
        .remove(which)
        .then(
          () => "removed",
          (error: { kind: string }) => error.kind,
        ),
    id,
  );
}

/** Waits until something is so: what a closed tab held is free a moment later. */
async function eventually<T>(ask: () => Promise<T>, expected: T): Promise<void> {
  let got = await ask();
  for (let tries = 0; tries < 50 && !isDeepStrictEqual(got, expected); tries++) {
    await pause(100);
    got = await ask();
  }
  assert.deepEqual(got, expected);
}

/** Names of all files of the origin. */
function originFiles(worker: Worker): Promise<string[]> {
  return worker.evaluate(async () => {
    const walk = async (folder: FileSystemDirectoryHandle): Promise<string[]> => {
      const names: string[] = [];
      for await (const [name, handle] of folder.entries()) {
        if (handle.kind === "file") names.push(name);
        else names.push(...(await walk(handle)));
      }
      return names;
    };
    return (await walk(await navigator.storage.getDirectory())).toSorted();
  });
}

before(async () => {
  if (noChromium !== false) return;
  server = await FileServer.start({
    "index.html": new TextEncoder().encode(`<script>${WORKER}</script>`),
    "worker.js": new TextEncoder().encode(await bundled("test/browser/store_page.ts")),
    "model/index.json": listingOf(files),
    ...Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`model/${path}`, bytes])),
  });
  browser = await launchChromium();
});

beforeEach(() => {
  if (server !== undefined) server.fault = undefined;
});

after(async () => {
  await browser?.close();
  await server?.[Symbol.asyncDispose]();
});

const options = { skip: noChromium };

test("Chromium keeps a model in the origin's files, across tabs", options, async () => {
  await using context = await newContext();
  const first = await openTab(context);
  const { id } = await save(first.worker);
  assert.match(id!, /^[\da-f]{16}$/);
  await first.page.close();

  const { worker } = await openTab(context);
  server.requests.length = 0;
  const found = await worker.evaluate(async (which) => {
    const store = openModelStore();
    const { models, usage, quota, damaged } = await store.list();
    const opened = await store.files(which);
    const weights = (await opened.open("model.safetensors"))!;
    const part = [...(await weights.read(1_048_570, 1_048_590))];
    const steps: number[] = [];
    await store.verify(which, { onProgress: ({ done }) => steps.push(done) });
    opened.release();
    return { models, usage, quota, damaged, part, last: steps.at(-1) };
  }, id!);
  assert.deepEqual(
    found.models[0]!.files.map(({ path, sha256 }) => [path, sha256]),
    Object.entries(files).map(([path, bytes]) => [path, sha256Of(bytes)]),
  );
  assert.deepEqual(
    found.part,
    Array.from(files["model.safetensors"]!.subarray(1_048_570, 1_048_590)),
  );
  assert.equal(found.last, found.models[0]!.bytes);
  assert.equal(found.damaged, undefined);
  assert.ok(found.usage! >= 3_000_000 && found.quota! > found.usage!);
  assert.deepEqual(server.requests, []);
  assert.deepEqual(await save(worker), { id });
  assert.deepEqual(await originFiles(worker), ["file-0", "file-1", "file-2", "model.json"]);
});

test(
  "Chromium's locks keep a model that another tab uses, until that tab is gone",
  options,
  async () => {
    await using context = await newContext();
    const [one, two] = [await openTab(context), await openTab(context)];
    const { id } = await save(one.worker);
    await one.worker.evaluate(async (which) => {
      await openModelStore().files(which);
    }, id!);
    assert.equal(await remove(two.worker, id!), "busy");
    await one.page.close();
    await eventually(() => remove(two.worker, id!), "removed");
    assert.deepEqual(await originFiles(two.worker), []);
  },
);

test(
  "a tab that closes in the middle of a download leaves nothing in Chromium",
  options,
  async () => {
    await using context = await newContext();
    const [one, two] = [await openTab(context), await openTab(context)];
    const stalled = new Promise<void>((resolve) => {
      server.fault = ({ path, method }, response, bytes) => {
        if (path !== "model/model.safetensors" || method !== "GET") return false;
        response.writeHead(200, { "content-length": bytes!.length });
        response.write(bytes!.subarray(0, 2_000_000), () => resolve());
        return true;
      };
    });
    const saving = save(one.worker).catch(() => {});
    await stalled;
    assert.equal((await save(two.worker)).kind, "busy");
    assert.notDeepEqual(await originFiles(two.worker), []);
    await one.page.close();
    await saving;
    server.fault = undefined;
    await eventually(async () => {
      const { models } = await two.worker.evaluate(() => openModelStore().list());
      return [models, await originFiles(two.worker)];
    }, [[], []]);
    assert.match((await save(two.worker)).id!, /^[\da-f]{16}$/);
  },
);

test(
  "Chromium's full storage is told before, and in the middle, and nothing stays",
  options,
  async () => {
    await using context = await newContext();
    const { page, worker } = await openTab(context);
    const session = await context.newCDPSession(page);
    const origin = new URL(server.url).origin;
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 2_000_000 });
    server.requests.length = 0;
    const refused = await save(worker);
    assert.equal(refused.kind, "quota");
    assert.match(refused.message!, /3\.0 MB.*free, got less/);
    assert.deepEqual(server.gets("model/model.safetensors"), []);

    // Others of the origin take the room while the model is on its way.
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 10_000_000 });
    let finish = () => {};
    const halfway = new Promise<void>((resolve) => {
      server.fault = ({ path, method }, response, bytes) => {
        if (path !== "model/model.safetensors" || method !== "GET") return false;
        response.writeHead(200, { "content-length": bytes!.length });
        response.write(bytes!.subarray(0, 1_500_000), () => resolve());
        finish = () => void response.end(bytes!.subarray(1_500_000));
        return true;
      };
    });
    const saving = save(worker);
    await halfway;
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1_000_000 });
    finish();
    assert.equal((await saving).kind, "quota");
    assert.deepEqual(await originFiles(worker), []);
  },
);
