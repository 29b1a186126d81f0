import {
  brief,
  isJsonObject,
  type JsonObject,
  parseJsonObject,
} from "../../model/checkpoint/strict_json.ts";
import { EngineError } from "../engine/errors.ts";
import { download, type FetchOptions, probe } from "./download.ts";
import { baseName, readWhole, type SourceFile, type SourceFolder } from "./model_folder.ts";
import { FOLDER_FILES } from "./select_files.ts";

/**
 * What lists the files of a folder on a web server: `{ "name": …, "files": [{ "path": …, "bytes":
 * …, "sha256"?: … }] }`, paths from the folder.
 */
export const LISTING_FILE = "index.json";

/** Names that the tokenizer beside a llama2.c model goes by. */
const PIECES_FILES = ["tokenizer.bin", "tok512.bin", "tok4096.bin"];

/**
 * A model on a web server: a folder, by the `index.json` in it, or else whatever is there of the
 * names that models' files go by; or a single file, and the tokenizer beside it.
 *
 * @param url From its scheme on.
 * @throws {EngineError} `"bad-input"` if it is no such URL, `"network"` if the server does not
 *   answer, `"corrupt"` if the listing is malformed.
 */
export async function urlFolder(url: string, options: FetchOptions): Promise<SourceFolder> {
  const base = checkedUrl(url);
  const key = base.href;
  const file = decoded(baseName(base.pathname));
  if (/\.(gguf|bin)$/i.test(file)) {
    const beside = file.endsWith(".bin") ? PIECES_FILES.filter((name) => name !== file) : [];
    const files = await probeAll(folderUrl(base), [file, ...beside], options);
    if (!files.has(file)) throw notFound(key);
    return folderOf(files, { name: file.replace(/\.\w+$/, ""), key, options, base });
  }
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const name = decoded(base.pathname.split("/").at(-2) ?? "") || base.hostname;
  const listing = await readListing(base, options);
  if (listing !== undefined) {
    return folderOf(listing.files, { name: listing.name ?? name, key, options });
  }
  const files = await probeAll(base, FOLDER_FILES, options);
  if (files.size === 0) throw notFound(key);
  return folderOf(files, { name, key, options, base });
}

/** A folder of known files, and, with `base`, of others that are looked for when asked for. */
function folderOf(
  files: Map<string, SourceFile>,
  rest: {
    readonly name: string;
    readonly key: string;
    readonly options: FetchOptions;
    readonly base?: URL;
  },
): SourceFolder {
  const { name, key, options, base } = rest;
  return {
    name,
    key,
    paths: [...files.keys()],
    async open(path) {
      if (files.has(path) || base === undefined) return files.get(path);
      return (await probeAll(folderUrl(base), [path], options)).get(path);
    },
  };
}

async function probeAll(
  base: URL,
  paths: readonly string[],
  options: FetchOptions,
): Promise<Map<string, SourceFile>> {
  const found = await Promise.all(
    paths.map(async (path) => {
      const url = below(base, path);
      const known = await probe(url, options);
      return known === undefined ? [] : [{ path, ...known, ...readerOf(url, options) }];
    }),
  );
  return new Map(found.flat().map((file) => [file.path, file]));
}

/** The files that the server lists, if it does. */
async function readListing(
  base: URL,
  options: FetchOptions,
): Promise<{ readonly name?: string; readonly files: Map<string, SourceFile> } | undefined> {
  const url = below(base, LISTING_FILE);
  if ((await probe(url, options)) === undefined) return undefined;
  const bytes = await readWhole({ path: LISTING_FILE, ...readerOf(url, options) }, options.signal);
  let json: JsonObject;
  try {
    json = parseJsonObject(bytes, url);
  } catch {
    return undefined; // somebody else's index.json, of whatever else there is
  }
  const { name, files } = json;
  if (!Array.isArray(files)) return undefined;
  const listed = files.map((entry: unknown) => listedFile(base, entry, options));
  return {
    ...(typeof name === "string" && name !== "" && { name }),
    files: new Map(listed.map((file) => [file.path, file])),
  };
}

function listedFile(base: URL, entry: unknown, options: FetchOptions): SourceFile {
  const fields = isJsonObject(entry as JsonObject) ? (entry as JsonObject) : {};
  const { path, bytes, sha256 } = fields;
  if (
    typeof path !== "string" ||
    path.split("/").some((part) => ["", ".", ".."].includes(part)) ||
    !(Number.isSafeInteger(bytes) && Number(bytes) >= 0) ||
    !(sha256 === undefined || (typeof sha256 === "string" && /^[\da-f]{64}$/.test(sha256)))
  ) {
    throw new EngineError({
      kind: "corrupt",
      message: `Cannot read "${below(base, LISTING_FILE)}": files must have a path within the folder, bytes and perhaps sha256, got ${brief(entry as JsonObject)}`,
      remedy: "Tell whoever runs the server, or choose the model's files yourself.",
    });
  }
  return {
    path,
    bytes: Number(bytes),
    ...(sha256 !== undefined && { sha256 }),
    ...readerOf(below(base, path), options),
  };
}

function readerOf(url: string, options: FetchOptions): Pick<SourceFile, "read"> {
  return { read: (signal) => download(url, { ...options, signal }) };
}

function below(base: URL, path: string): string {
  const url = new URL(path.split("/").map(encodeURIComponent).join("/"), base);
  // A query may be what lets one in.
  url.search = base.search;
  return url.href;
}

/** The folder that a file lies in. */
function folderUrl(file: URL): URL {
  const folder = new URL(".", file);
  folder.search = file.search;
  return folder;
}

function checkedUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && /^https?:$/.test(parsed.protocol)) {
    parsed.hash = "";
    return parsed;
  }
  throw new EngineError({
    kind: "bad-input",
    message: `Cannot load a model from "${url}": it must be a whole address, such as https://example.org/model/, got another text`,
    remedy: "Write the address with https:// in front.",
  });
}

function notFound(url: string): EngineError {
  return new EngineError({
    kind: "network",
    message: `Cannot load a model from "${url}": the server must have it there, got no file that belongs to one`,
    remedy: "Check the address: it must be that of a folder with config.json, or of a .gguf file.",
  });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
