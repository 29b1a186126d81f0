import assert from "node:assert/strict";
import { test } from "node:test";
import { PageCache, type PrecachedFile } from "../../web/store/page_cache.ts";
import { sha256Of, textBytes } from "./model_files.ts";

const SCOPE = "https://example.org/tenure/";

/** Caches of an origin, as far as they are used. */
class MemoryCaches {
  readonly all = new Map<string, Map<string, Response>>();

  async open(name: string): Promise<Cache> {
    const entries = this.all.get(name) ?? new Map<string, Response>();
    this.all.set(name, entries);
    const cache = {
      put: async (url: string, response: Response) => {
        assert.ok(!response.redirected, "browsers refuse it");
        entries.set(url, response);
      },
      match: async (url: string) => entries.get(url)?.clone(),
    };
    return cache as unknown as Cache;
  }

  async keys(): Promise<string[]> {
    return [...this.all.keys()];
  }

  async delete(name: string): Promise<boolean> {
    return this.all.delete(name);
  }
}

/** A build on a server that checks sums as browsers do. */
function buildOf(
  contents: Readonly<Record<string, string>>,
  build = "b1",
  caches = new MemoryCaches(),
) {
  const served = new Map(Object.entries(contents));
  const requests: string[] = [];
  const fetch = async (address: unknown, { integrity = "" }: RequestInit = {}) => {
    const url = String(address);
    requests.push(url);
    const text = served.get(url.slice(SCOPE.length));
    if (text === undefined) return new Response("", { status: 404 });
    const sum = Buffer.from(sha256Of(textBytes(text)), "hex").toString("base64");
    if (integrity !== "" && integrity !== `sha256-${sum}`) throw new TypeError("Failed to fetch");
    return new Response(text, { headers: { "content-security-policy": "default-src 'none'" } });
  };
  const files: PrecachedFile[] = Object.entries(contents).map(([url, text]) => ({
    url,
    hash: sha256Of(textBytes(text)),
  }));
  const page = new PageCache({ files, build, scope: SCOPE, caches, fetch });
  return { page, served, requests, caches };
}

const CONTENTS = { "index.html": "<title>one</title>", "assets/main-1.js": "start()" };

/** What answers a request. */
function addressOf(page: PageCache, url: string, more: Partial<Request> = {}) {
  const request = { url, method: "GET", mode: "navigate", ...more } as const;
  return page.addressFor(request)?.slice(SCOPE.length);
}

test("the page starts from its cache, whatever it is asked with, and headers are kept", async () => {
  const { page, requests } = buildOf(CONTENTS);
  await page.install();
  requests.length = 0;
  assert.equal(addressOf(page, SCOPE), "index.html");
  assert.equal(addressOf(page, `${SCOPE}?model=x#career`), "index.html");
  assert.equal(addressOf(page, `${SCOPE}index.html`), "index.html");
  assert.equal(addressOf(page, `${SCOPE}assets/main-1.js`, { mode: "cors" }), "assets/main-1.js");
  const response = await page.read(`${SCOPE}index.html`);
  assert.equal(await response.text(), "<title>one</title>");
  assert.equal(response.headers.get("content-security-policy"), "default-src 'none'");
  assert.deepEqual(requests, []);
});

test("nothing but the page's own files is answered", async () => {
  const { page } = buildOf(CONTENTS);
  for (const [url, more] of [
    [`${SCOPE}model/index.json`, { mode: "cors" }],
    [`${SCOPE}model/model.safetensors`, { mode: "cors" }],
    [`${SCOPE}assets/main-1.js?other`, { mode: "cors" }],
    [`${SCOPE}elsewhere`, {}],
    ["https://example.org/", {}],
    ["https://example.com/tenure/index.html", {}],
    [SCOPE, { method: "POST" }],
  ] as const) {
    assert.equal(addressOf(page, url, more as Partial<Request>), undefined, url);
  }
});

test("a build of which a file is missing, or another one, is not kept at all", async () => {
  for (const spoil of [
    (served: Map<string, string>) => served.delete("assets/main-1.js"),
    (served: Map<string, string>) => served.set("assets/main-1.js", "other()"),
  ]) {
    const { page, served, caches } = buildOf(CONTENTS);
    spoil(served);
    await assert.rejects(page.install(), TypeError);
    assert.deepEqual(await caches.keys(), []);
  }
});

test("a new build removes what the old one kept, and nothing of other pages", async () => {
  const old = buildOf(CONTENTS, "b1");
  await old.page.install();
  old.caches.all.set("tenure-page https://example.org/other/ b1", new Map());
  old.caches.all.set("somebody else's", new Map());
  const next = buildOf({ "index.html": "<title>two</title>" }, "b2", old.caches);
  await next.page.install();
  // Until it takes over, the old page goes on.
  assert.match(await (await old.page.read(`${SCOPE}index.html`)).text(), /one/);
  await next.page.removeOthers();
  assert.deepEqual((await next.caches.keys()).toSorted(), [
    "somebody else's",
    "tenure-page https://example.org/other/ b1",
    `tenure-page ${SCOPE} b2`,
  ]);
});

test("an answer that came by a detour is kept as one that did not", async () => {
  const { caches } = buildOf(CONTENTS);
  const text = CONTENTS["index.html"];
  const fetch = async () => {
    const response = new Response(text, { headers: { "x-kept": "yes" } });
    Object.defineProperty(response, "redirected", { value: true });
    return response;
  };
  const files = [{ url: "index.html", hash: sha256Of(textBytes(text)) }];
  const page = new PageCache({ files, build: "b", scope: SCOPE, caches, fetch });
  await page.install();
  const response = await page.read(`${SCOPE}index.html`);
  assert.deepEqual([await response.text(), response.headers.get("x-kept")], [text, "yes"]);
});

test("a file that the browser has dropped comes from the server", async () => {
  const { page, requests, caches } = buildOf(CONTENTS);
  await page.install();
  for (const entries of caches.all.values()) entries.clear();
  requests.length = 0;
  assert.match(await (await page.read(`${SCOPE}index.html`)).text(), /one/);
  assert.equal(requests.length, 1);
});

test("a worker that was written anew spares the files of its build if it cannot be installed", async () => {
  const { page, served, requests, caches } = buildOf(CONTENTS);
  await page.install();
  const again = buildOf(CONTENTS, "b1", caches);
  again.served.clear();
  await assert.rejects(again.page.install(), TypeError);
  served.clear();
  requests.length = 0;
  assert.match(await (await page.read(`${SCOPE}index.html`)).text(), /one/);
  assert.deepEqual(requests, []);
});
