import { below, fileName, folderName, folderOf, wholeAddress } from "../engine/addresses.ts";
import { EngineError } from "../engine/errors.ts";
import { decodeListing, LISTING_FILE } from "../engine/listing.ts";
import { download, type FetchOptions, probe } from "./download.ts";
import { readWhole, type SourceFile, type SourceFolder } from "./model_folder.ts";
import { FOLDER_FILES } from "./select_files.ts";

/** Names that the tokenizer beside a llama2.c model goes by. */
const PIECES_FILES = ["tokenizer.bin", "tok512.bin", "tok4096.bin"];

/**
 * A model on a web server: a folder, by the `index.json` in it, or else whatever is there of the
 * names that models' files go by; or a single file, and the tokenizer beside it.
 *
 * @param url A relative one counts from the page, or the worker's script.
 * @throws {EngineError} `"bad-input"` if it is no URL of http or https, `"network"` if the server does not
 *   answer, `"corrupt"` if the listing is malformed.
 */
export async function urlFolder(url: string, options: FetchOptions): Promise<SourceFolder> {
  const base = wholeAddress(url);
  const key = base.href;
  const file = fileName(base);
  if (/\.(gguf|bin)$/i.test(file)) {
    const beside = file.endsWith(".bin") ? PIECES_FILES.filter((name) => name !== file) : [];
    const files = await probeAll(folderOf(base), [file, ...beside], options);
    if (!files.has(file)) throw notFound(key);
    return sourceOf(files, { name: file.replace(/\.\w+$/, ""), key, options, base });
  }
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const name = folderName(base);
  const listing = await readListing(base, options);
  if (listing !== undefined) {
    return sourceOf(listing.files, { name: listing.name ?? name, key, options });
  }
  const files = await probeAll(base, FOLDER_FILES, options);
  if (files.size === 0) throw notFound(key);
  return sourceOf(files, { name, key, options, base });
}

/** A folder of known files, and, with `base`, of others that are looked for when asked for. */
function sourceOf(
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
      return (await probeAll(folderOf(base), [path], options)).get(path);
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
  const listing = decodeListing(bytes, url);
  return (
    listing && {
      ...listing,
      files: new Map(
        listing.files.map((file) => {
          return [file.path, { ...file, ...readerOf(below(base, file.path), options) }];
        }),
      ),
    }
  );
}

function readerOf(url: string, options: FetchOptions): Pick<SourceFile, "read"> {
  return { read: (signal) => download(url, { ...options, signal }) };
}

function notFound(url: string): EngineError {
  return new EngineError({
    kind: "network",
    message: `Cannot load a model from "${url}": the server must have it there, got no file that belongs to one`,
    remedy: "Check the address: it must be that of a folder with config.json, or of a .gguf file.",
  });
}
