import {
  bytesSource,
  type ByteSource,
  checkRange,
  type FileSet,
} from "../checkpoint/byte_source.ts";

/** What a browser's `File` offers, as far as it is needed here. */
export interface FileLike {
  readonly name: string;
  readonly size: number;
  /** Its path from the folder that was chosen, that one included; empty if files were chosen. */
  readonly webkitRelativePath?: string;
  slice(begin: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** A file that a person chose in a page; it is read in parts, and never leaves the page. */
export function fileSource(file: FileLike): ByteSource {
  const { name, size } = file;
  return {
    name,
    size,
    async read(begin, end) {
      checkRange(begin, end, file);
      return new Uint8Array(await file.slice(begin, end).arrayBuffer());
    },
  };
}

/**
 * Files that a person chose or dropped, by name; of a folder, those that lie in no other within it.
 *
 * @throws {SyntaxError} If two have one name.
 */
export function topFiles(
  files: Iterable<FileLike>,
  name = "the chosen files",
): Map<string, FileLike> {
  const byName = new Map<string, FileLike>();
  for (const file of files) {
    if ((file.webkitRelativePath ?? "").split("/").length > 2) continue;
    if (byName.has(file.name)) {
      const rule = "each must have a name of its own";
      const remedy = "choose those of one folder";
      throw new SyntaxError(`Cannot read ${name}: ${rule}, got two of "${file.name}"; ${remedy}`);
    }
    byName.set(file.name, file);
  }
  return byName;
}

/**
 * Files that a person chose or dropped as a folder.
 *
 * @throws {SyntaxError} If two have one name.
 */
export function fileListSet(files: Iterable<FileLike>, name = "the chosen files"): FileSet {
  const byName = topFiles(files, name);
  return {
    name,
    open(file) {
      const found = byName.get(file);
      return Promise.resolve(found === undefined ? undefined : fileSource(found));
    },
  };
}

/** Options of {@linkcode urlSource} and {@linkcode urlFolder}. */
export interface UrlOptions {
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Stands in for the global `fetch`. */
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
}

/**
 * A file at a URL, read in parts where the server serves ranges, else fetched once as a whole.
 *
 * @returns undefined if the server answers 404.
 * @throws {Error} If the server answers with another error; it names the URL and the status.
 */
export async function urlSource(
  url: string,
  options: UrlOptions = {},
): Promise<ByteSource | undefined> {
  const name = decodeURIComponent(new URL(url).pathname.split("/").pop() ?? url);
  const probe = await request(url, [0, 1], options);
  if (probe.status === 404) {
    await probe.body?.cancel();
    return undefined;
  }
  const size = totalOf(probe.headers.get("content-range"));
  if (probe.status !== 206 || size === undefined) {
    // An empty file has no first byte to ask for.
    const bytes = probe.status === 416 ? new Uint8Array() : await bodyOf(probe, url, 200);
    return bytesSource(bytes, name);
  }
  await probe.body?.cancel();
  return {
    name,
    size,
    async read(begin, end) {
      checkRange(begin, end, { name, size });
      if (begin === end) return new Uint8Array();
      const bytes = await bodyOf(await request(url, [begin, end], options), url, 206);
      if (bytes.length === end - begin) return bytes;
      throw new RangeError(
        `Cannot read "${url}": the server must send bytes ${begin} to ${end}, got ${bytes.length}; load it again`,
      );
    },
  };
}

/** The files below a URL, such as those of a model in a folder of a web server. */
export function urlFolder(base: string, options: UrlOptions = {}): FileSet {
  const folder = base.endsWith("/") ? base : `${base}/`;
  return {
    name: base,
    open: (name) => urlSource(new URL(encodeURIComponent(name), folder).href, options),
  };
}

function request(
  url: string,
  [begin, end]: readonly [number, number],
  { headers = {}, fetch: send = fetch, signal }: UrlOptions,
): Promise<Response> {
  return send(url, {
    headers: { ...headers, range: `bytes=${begin}-${end - 1}` },
    ...(signal !== undefined && { signal }),
  });
}

async function bodyOf(
  response: Response,
  url: string,
  expected: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (response.status === expected) return new Uint8Array(await response.arrayBuffer());
  await response.body?.cancel();
  throw new Error(
    `Cannot read "${url}": the server must answer ${expected}, got ${response.status} ${response.statusText}`,
  );
}

/** `bytes 0-0/1234` says that the file has 1234 bytes. */
function totalOf(contentRange: string | null): number | undefined {
  const total = /^bytes \d+-\d+\/(\d+)$/.exec(contentRange ?? "")?.[1];
  return total === undefined ? undefined : Number(total);
}
