/** A built file of the page. */
export interface PrecachedFile {
  /** Relative to the service worker. */
  readonly url: string;
  /** SHA-256, lower-case hex. */
  readonly hash: string;
}

/** What {@linkcode PageCache} is made of. */
export interface PageCacheOptions {
  /** Every file of the build. */
  readonly files: readonly PrecachedFile[];
  /** Tells this build from others. */
  readonly build: string;
  /** Address of the folder that the page is in. */
  readonly scope: string;
  readonly caches: Pick<CacheStorage, "open" | "keys" | "delete">;
  readonly fetch: typeof globalThis.fetch;
}

/** What a page's start is a request for. */
const START_FILE = "index.html";

/**
 * The files of one build of the page, kept so that it works without a network: all of them or none.
 * Nothing else is ever kept here.
 */
export class PageCache {
  readonly #options: PageCacheOptions;
  readonly #prefix: string;
  readonly #urls: ReadonlySet<string>;

  constructor(options: PageCacheOptions) {
    this.#options = options;
    // Caches are the origin's, and other pages of it may be of this kind, too.
    this.#prefix = `tenure-page ${options.scope} `;
    this.#urls = new Set(options.files.map(({ url }) => this.#address(url)));
  }

  /**
   * Fetches every file, and keeps it if it is the one that was built.
   *
   * @throws {TypeError} If a file is missing, or another one: the server holds parts of two builds.
   */
  async install(): Promise<void> {
    const { files, caches } = this.#options;
    // A worker that was written anew may find the files of its build, which pages run on.
    const isNew = !(await caches.keys()).includes(this.#name);
    try {
      const cache = await caches.open(this.#name);
      await Promise.all(
        files.map(async (file) => {
          const address = this.#address(file.url);
          await cache.put(address, await this.#fetchFile(address, file.hash));
        }),
      );
    } catch (error) {
      if (isNew) await caches.delete(this.#name);
      throw error;
    }
  }

  /** Removes what other builds of this page have kept. */
  async removeOthers(): Promise<void> {
    const { caches } = this.#options;
    const others = (await caches.keys()).filter(
      (name) => name.startsWith(this.#prefix) && name !== this.#name,
    );
    await Promise.all(others.map((name) => caches.delete(name)));
  }

  /** The kept file that answers a request, by its address; undefined if the network is asked. */
  addressFor({ url, method, mode }: Pick<Request, "url" | "method" | "mode">): string | undefined {
    if (method !== "GET") return undefined;
    const asked = new URL(url);
    asked.hash = "";
    // What a start is asked with is the page's business: the file is the same.
    if (mode === "navigate") asked.search = "";
    const address = asked.href === this.#options.scope ? this.#address(START_FILE) : asked.href;
    return this.#urls.has(address) ? address : undefined;
  }

  /** A kept file, or, if the browser has dropped it, that of the server. */
  async read(address: string): Promise<Response> {
    const cache = await this.#options.caches.open(this.#name);
    return (await cache.match(address)) ?? this.#options.fetch(address);
  }

  get #name(): string {
    return this.#prefix + this.#options.build;
  }

  #address(url: string): string {
    return new URL(url, this.#options.scope).href;
  }

  async #fetchFile(address: string, hash: string): Promise<Response> {
    const integrity = `sha256-${base64OfHex(hash)}`;
    const response = await this.#options.fetch(address, { cache: "no-cache", integrity });
    if (!response.ok) {
      throw new TypeError(
        `Cannot keep the page: "${address}" must be there, got ${response.status}`,
      );
    }
    if (!response.redirected) return response;
    // Browsers refuse to start a page with an answer that came by a detour.
    const { status, headers } = response;
    return new Response(await response.blob(), { status, headers });
  }
}

function base64OfHex(hex: string): string {
  const codes = (hex.match(/../g) ?? []).map((digits) => parseInt(digits, 16));
  return btoa(String.fromCharCode(...codes));
}
