import type { FileSet } from "../../model/checkpoint/byte_source.ts";
import { readSmallFile } from "../../model/checkpoint/small_file.ts";
import { fileSource } from "../../model/pretrained/file_sets.ts";
import { isModelFile } from "../../model/pretrained/single_file.ts";
import { below, fileName, folderName, folderOf, wholeAddress } from "./addresses.ts";
import type { ModelSource, StoredModelInfo } from "./api.ts";
import { listedFiles } from "./checked_files.ts";
import { type DownloadOptions, downloadedFiles } from "./downloaded_files.ts";
import { EngineError } from "./errors.ts";
import { badInput } from "./explain.ts";
import { decodeListing, LISTING_FILE } from "./listing.ts";

/** Files of a model, by their paths. */
export interface ModelFiles extends FileSet {
  /** What people call the model, where its place says so. */
  readonly title?: string;
  /** Paths of all files; none where nobody can list them, as those of most web servers. */
  readonly paths?: readonly string[];
  /** Lengths by path, where they are told before the files are fetched. */
  readonly lengths?: ReadonlyMap<string, number>;
  /** The file that was named, where it was one. */
  readonly single?: string;
  /** Lets others remove the files, where that takes leave. */
  release?(): void;
}

/** What loading takes of the store. */
export interface StoredFiles {
  list(): Promise<{ readonly models: readonly StoredModelInfo[] }>;
  files(id: string): Promise<FileSet & { release?(): void }>;
}

/** How the files of a source are opened. */
export interface FilesOptions extends DownloadOptions {
  readonly openStore: () => Promise<StoredFiles>;
}

/**
 * The files of a source. Those of a web server are fetched as they are asked for, and compared with
 * the `index.json` of their folder, where it lists them.
 *
 * @throws {EngineError} Of kind `"bad-input"` if the source is none, or nothing of that id is stored;
 *   `"network"` or `"corrupt"` if the server's list of files cannot be read.
 */
export async function filesOf(source: ModelSource, options: FilesOptions): Promise<ModelFiles> {
  switch (source.kind) {
    case "files":
      return chosenFiles(source);
    case "url":
      return filesAt(source.url, options);
    case "stored":
      return storedFiles(source.id, options);
    default:
      throw badInput(
        `Cannot load a model: its source must be files, url or stored, got ${JSON.stringify(source)}`,
      );
  }
}

function chosenFiles({ files }: ModelSource & { readonly kind: "files" }): ModelFiles {
  const blobs = new Map(files.map(({ path, blob }) => [plainPath(path), blob]));
  return {
    name: "the chosen files",
    paths: [...blobs.keys()],
    open(path) {
      const blob = blobs.get(path);
      if (blob === undefined) return Promise.resolve(undefined);
      const name = path.split("/").pop()!;
      const slice = (begin: number, end: number) => blob.slice(begin, end);
      return Promise.resolve(fileSource({ name, size: blob.size, slice }));
    },
  };
}

function plainPath(path: string): string {
  return path.replaceAll("\\", "/").replace(/^(\.?\/)+/, "");
}

async function filesAt(address: string, options: DownloadOptions): Promise<ModelFiles> {
  const url = wholeAddress(address);
  const single = fileName(url);
  if (isModelFile(single)) return { ...downloadedFiles(folderOf(url), options), single };
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const files = downloadedFiles(url, options);
  const source = await files.open(LISTING_FILE);
  const listing = source && decodeListing(await readSmallFile(source), below(url, LISTING_FILE));
  const title = listing?.name ?? folderName(url);
  if (listing === undefined) return { ...files, title };
  const lengths = new Map(listing.files.map(({ path, bytes }) => [path, bytes]));
  return { ...listedFiles(files, listing, options), title, paths: [...lengths.keys()], lengths };
}

async function storedFiles(id: string, { openStore }: FilesOptions): Promise<ModelFiles> {
  const store = await openStore();
  const { models } = await store.list();
  const info = models.find((model) => model.id === id);
  if (info === undefined) {
    throw new EngineError({
      kind: "bad-input",
      message: `Cannot load a model: one that is kept must be named, got "${id}"`,
      remedy: "Look at what is kept: it may have been removed in another tab.",
    });
  }
  const files = await store.files(id);
  const open = (path: string) => files.open(path);
  const release = () => files.release?.();
  return {
    name: info.name,
    title: info.name,
    paths: info.files.map(({ path }) => path),
    open,
    release,
  };
}
