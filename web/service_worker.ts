// Keeps the built page, so that it works without a network. Models are not kept here: they lie in
// the origin's own files, which only the page reads.
import { PageCache, type PrecachedFile } from "./store/page_cache.ts";

/* oxlint-disable no-underscore-dangle -- names that the build replaces must be like no others */
/** The files of the build, and its name: the build puts them in. */
declare const __PRECACHE__: readonly PrecachedFile[];
declare const __BUILD__: string;

interface ExtendableEvent extends Event {
  waitUntil(task: Promise<unknown>): void;
}

interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** As much of a service worker's globals as is used here; the DOM library has none of it. */
interface WorkerScope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: ExtendableEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchEvent) => void): void;
}

const scope = globalThis as unknown as WorkerScope;

const page = new PageCache({
  files: __PRECACHE__,
  build: __BUILD__,
  scope: scope.registration.scope,
  caches,
  fetch: (...request) => fetch(...request),
});

// Another build waits until no page runs on the one before: nothing changes under a running page.
scope.addEventListener("install", (event) => event.waitUntil(page.install()));

scope.addEventListener("activate", (event) => {
  event.waitUntil(page.removeOthers().then(() => scope.clients.claim()));
});

scope.addEventListener("fetch", (event) => {
  const address = page.addressFor(event.request);
  if (address !== undefined) event.respondWith(page.read(address));
});
