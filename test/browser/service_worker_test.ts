import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { FileServer } from "../web/file_server.ts";
import { sha256Of, textBytes } from "../web/model_files.ts";
import { bundled } from "./bundled.ts";
import { launchChromium, noChromium } from "./chromium.ts";

/** As strict as the real page's. */
const POLICY =
  "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";

let browser: Browser;
let script: string;

/** A build of a small page, put on the server in place of the one before. */
async function publish(server: FileServer, title: string): Promise<void> {
  const files = {
    "index.html": `<!doctype html><title>${title}</title><script src="main.js" type="module"></script>`,
    "main.js": script,
  };
  const listed = Object.entries(files).map(([url, text]) => ({
    url,
    hash: sha256Of(textBytes(text)),
  }));
  const define = { __PRECACHE__: JSON.stringify(listed), __BUILD__: JSON.stringify(title) };
  const worker = await bundled("web/service_worker.ts", { format: "iife", define });
  for (const [path, text] of Object.entries({ ...files, "service_worker.js": worker })) {
    server.files.set(`page/${path}`, textBytes(text));
  }
  server.files.set("page/", server.files.get("page/index.html")!);
  server.files.set("page/model/index.json", textBytes({ name: "model", files: [] }));
}

/** What the page says of being prepared for having no network. */
function prepared(page: Page): Promise<string> {
  return page.evaluate(() => (globalThis as unknown as { prepared: Promise<string> }).prepared);
}

/** What a request of the page brings: its text, or the error's name. */
function fetched(page: Page, url: string): Promise<string> {
  return page.evaluate(
    (address) =>
      fetch(address).then(
        (response) => response.text(),
        (error: Error) => error.name,
      ),
    url,
  );
}

before(async () => {
  if (noChromium !== false) return;
  script = await bundled("test/browser/offline_page.ts");
  browser = await launchChromium();
});

after(() => browser?.close());

const options = { skip: noChromium };

test(
  "the page comes up without a network, with its policy, and keeps nothing else",
  options,
  async () => {
    await using server = await FileServer.start({});
    server.headers = { "content-security-policy": POLICY };
    await publish(server, "one");
    await using context = await browser.newContext();
    const page = await context.newPage();
    const address = `${server.url}page/`;
    await page.goto(address);
    assert.equal(await prepared(page), "ready");
    assert.match(await fetched(page, `${address}model/index.json`), /"model"/);

    // Once installed, a start asks the server for nothing but whether there is a new build.
    server.requests.length = 0;
    await page.goto(`${address}?again`);
    assert.equal(await prepared(page), "ready");
    const asked = server.requests.map(({ path }) => path);
    assert.deepEqual(
      asked.filter((path) => path !== "page/service_worker.js"),
      [],
    );

    await context.setOffline(true);
    await page.goto(address);
    assert.equal(await page.title(), "one");
    assert.equal(await prepared(page), "ready");
    assert.equal(await fetched(page, `${address}model/index.json`), "TypeError");
    const forbidden = await page.evaluate(async () => {
      const violation = new Promise<string>((resolve) => {
        document.addEventListener("securitypolicyviolation", (event) => resolve(event.blockedURI));
        setTimeout(() => resolve("nothing"), 5000);
      });
      await fetch("https://example.org/").catch(() => {});
      return violation;
    });
    assert.equal(forbidden, "https://example.org/");
  },
);

test(
  "a new build waits until no page runs on the old one, and then takes its place",
  options,
  async () => {
    await using server = await FileServer.start({});
    await publish(server, "one");
    await using context = await browser.newContext();
    const page = await context.newPage();
    const address = `${server.url}page/`;
    await page.goto(address);
    assert.equal(await prepared(page), "ready");
    await publish(server, "two");
    await page.reload();
    await page.evaluate(async () => {
      const registration = (await navigator.serviceWorker.getRegistration())!;
      await registration.update();
      while (registration.waiting === null) await new Promise((next) => setTimeout(next, 20));
    });
    await page.reload();
    assert.equal(await page.title(), "one");
    await page.close();

    const next = await context.newPage();
    await next.waitForTimeout(300);
    await next.goto(address);
    assert.equal(await next.title(), "two");
    assert.equal(await prepared(next), "ready");
    const names = await next.evaluate(() => caches.keys());
    assert.deepEqual(names, [`tenure-page ${address} two`]);
  },
);

test("parts of two builds on a server are not taken for one", options, async () => {
  await using server = await FileServer.start({});
  await publish(server, "one");
  server.files.set("page/main.js", textBytes(`${script}\n// of another build`));
  await using context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${server.url}page/`);
  const isKept = await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.register("service_worker.js");
    const worker = registration.installing!;
    while (worker.state === "installing") await new Promise((next) => setTimeout(next, 20));
    return [worker.state, await caches.keys()];
  });
  assert.deepEqual(isKept, ["redundant", []]);
});
