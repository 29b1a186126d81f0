import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { openPretrained } from "../../model/pretrained/load_pretrained.ts";
import { readPeftConfig } from "../../model/lora/read_peft.ts";
import { openFile, openFolder, withTokenizer } from "../../model/pretrained/open_model.ts";
import { RUN_FILE } from "../run/run_folder.ts";
import { bestCheckpoint } from "./checkpoints.ts";
import { CliError, EXIT, failingAs } from "./errors.ts";
import { exists, fileSource, folderFiles, withPath } from "./file_source.ts";
import { fileError } from "./files.ts";
import { CachedRepo, isRepoName } from "./hub_cache.ts";
import { hubCacheFolder } from "./hub_settings.ts";

export { fileSource, folderFiles } from "./file_source.ts";

const CONFIG_FILE = "config.json";

const ADAPTER_FILE = "adapter_config.json";

/** Names of pickles; a `.bin` may be llama2.c's, which its first bytes tell. */
const PICKLE_NAME = /\.(pt|pth|pkl|ckpt)$/i;

/** Options of {@linkcode openModelPath}. */
export interface ModelPathOptions {
  /**
   * A `tokenizer.json`, or llama2.c's `tokenizer.bin`, in place of the model's own.
   *
   * @default {its own; for llama2.c's files, a `tok*.bin` beside the model}
   */
  readonly tokenizer?: string;
  /** Branch, tag or commit of a model in the cache. @default {"main"} */
  readonly revision?: string;
  /** @default {that of the environment} */
  readonly cacheDir?: string;
}

/**
 * Opens a model wherever it lies: a folder in Hugging Face's layout, a checkpoint or a run of
 * ours (its best checkpoint), a GGUF file or a folder with one, a llama2.c `.bin`, a URL, or
 * `org/name` in the cache of `tenure pull`. A path that exists goes before a name.
 *
 * @param pathOrName Which model; weights are yet to be read.
 * @throws {CliError} With exit code 5 if there is none, or it is malformed or not supported, or an
 *   adapter; exit code 2 if a revision is named of what is not in the cache.
 */
export async function openModelPath(
  pathOrName: string,
  options: ModelPathOptions = {},
): Promise<StoredModel> {
  const { tokenizer } = options;
  const stored = await openPlace(pathOrName, options);
  if (tokenizer === undefined) return stored;
  return failingAs(EXIT.checkpoint, async () => withTokenizer(stored, await fileSource(tokenizer)));
}

/**
 * Where an adapter lies: in a folder, or in the best checkpoint of a run.
 *
 * @returns Undefined if it is in neither.
 * @throws {CliError} With exit code 5 if a run has no checkpoint.
 */
export async function adapterFolder(path: string): Promise<string | undefined> {
  const folder = (await exists(join(path, RUN_FILE))) ? await bestCheckpoint(path) : path;
  const isModel = await exists(join(folder, CONFIG_FILE));
  return !isModel && (await exists(join(folder, ADAPTER_FILE))) ? folder : undefined;
}

async function openPlace(pathOrName: string, options: ModelPathOptions): Promise<StoredModel> {
  if (/^https?:\/\//i.test(pathOrName)) {
    checkNoRevision(pathOrName, { got: "a URL", ...options });
    return withPath(pathOrName, () => openPretrained(pathOrName));
  }
  const found = await stat(pathOrName).catch(() => undefined);
  if (found === undefined) return openModelFolder(await findInCache(pathOrName, options));
  checkNoRevision(pathOrName, { got: "a path that exists", ...options });
  return found.isDirectory() ? openModelFolder(pathOrName) : openModelFile(pathOrName, options);
}

function checkNoRevision(
  path: string,
  { got, revision }: ModelPathOptions & { readonly got: string },
): void {
  if (revision === undefined) return;
  throw new CliError(
    EXIT.usage,
    `Cannot read revision "${revision}" of "${path}": --revision must come with org/name in the cache, got ${got}; leave it out`,
  );
}

async function openModelFolder(path: string): Promise<StoredModel> {
  if (await exists(join(path, CONFIG_FILE))) {
    return withPath(path, () => openFolder(folderFiles(path)));
  }
  const names = await readdir(path).catch((error: unknown): never => {
    throw fileError("read", path, { error, exitCode: EXIT.checkpoint });
  });
  if (names.some((name) => name === RUN_FILE || /^checkpoint-\d+$/.test(name))) {
    return openModelFolder(await bestCheckpoint(path));
  }
  if (names.includes(ADAPTER_FILE)) await refuseAdapter(path);
  const models = names.filter((name) => /\.gguf$/i.test(name));
  if (models.length === 1) return openModelFile(join(path, models[0]!), {});
  const got =
    models.length > 1
      ? `${models.length} GGUF files; name one, as in "${join(path, models[0]!)}"`
      : names.length === 0
        ? "an empty folder"
        : "neither";
  throw new CliError(
    EXIT.checkpoint,
    `Cannot read "${path}": a model's folder must hold ${CONFIG_FILE} or one GGUF file, got ${got}`,
  );
}

/** Says how an adapter is used: it is no model without the one beneath. */
async function refuseAdapter(path: string): Promise<never> {
  const { baseModel } = await withPath(path, () => readPeftConfig(folderFiles(path)));
  const base = baseModel === undefined ? "<model>" : JSON.stringify(baseModel);
  const of = baseModel === undefined ? "a model it does not name" : base;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot read "${path}": it must be a whole model, got an adapter of ${of}: use tenure generate ${base} --adapter "${path}", and score and embed alike`,
  );
}

async function openModelFile(
  path: string,
  { tokenizer }: Pick<ModelPathOptions, "tokenizer">,
): Promise<StoredModel> {
  const source = await fileSource(path);
  const head = await source.read(0, Math.min(4, source.size));
  if (PICKLE_NAME.test(path) || isPickle(head)) {
    throw new CliError(
      EXIT.checkpoint,
      `Cannot read "${path}": weights must be safetensors, GGUF or llama2.c's, got a pickle; reading one runs the code in it, so save the model again with safe_serialization=True`,
    );
  }
  const seeksTokenizer = tokenizer === undefined && path.endsWith(".bin");
  const pieces = seeksTokenizer ? await tokenizerBeside(path) : undefined;
  return withPath(dirname(path), async () =>
    openFile(source, pieces === undefined ? undefined : await fileSource(pieces)),
  );
}

/** Whether these are the first bytes of a pickle, or of the zip archive that newer ones lie in. */
function isPickle([first = 0, second = 0, third = 0]: Uint8Array): boolean {
  // A width of 640 begins llama2.c's file with 80 02 00 00; no operation of pickles is 0.
  if (first === 0x80) return second >= 2 && second <= 5 && third !== 0;
  return first === 0x50 && second === 0x4b && third === 3;
}

/** The `tok*.bin` of a llama2.c model, if there is exactly one. */
async function tokenizerBeside(path: string): Promise<string | undefined> {
  const names = await readdir(dirname(path));
  const found = names.filter((name) => /^tok.*\.bin$/.test(name) && name !== basename(path));
  return found.length === 1 ? join(dirname(path), found[0]!) : undefined;
}

async function findInCache(name: string, options: ModelPathOptions): Promise<string> {
  const { revision = "main", cacheDir = hubCacheFolder() } = options;
  if (!isRepoName(name)) {
    throw new CliError(
      EXIT.checkpoint,
      `Cannot read "${name}": a model must be a path that exists, org/name, or a URL, got none of them`,
    );
  }
  const found = await new CachedRepo(cacheDir, name).findSnapshot(revision);
  if (found !== undefined) return found;
  const flag = revision === "main" ? "" : ` --revision ${revision}`;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot read "${name}": it must be a path that exists, or a model in the cache "${cacheDir}", got neither; to download it: tenure pull ${name}${flag}`,
  );
}
