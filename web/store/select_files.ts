import { decodeRunJson, TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import { INDEX_FILE, shardNames, WEIGHTS_FILE } from "../../model/checkpoint/shards.ts";
import { parseJsonObject } from "../../model/checkpoint/strict_json.ts";
import { MANIFEST_FILE } from "../../model/checkpoint/manifest.ts";
import { isTokenizerOf, singleModel } from "../../model/pretrained/single_file.ts";
import { EngineError } from "../engine/errors.ts";
import {
  baseName,
  commonFolder,
  readWhole,
  type SourceFile,
  type SourceFolder,
} from "./model_folder.ts";

/** Files of a model in Hugging Face's layout beside its weights: what reading it looks at. */
const BESIDE_WEIGHTS = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
  "tokenizer.model",
  "vocab.json",
  "merges.txt",
  "encoder.json",
  "vocab.bpe",
  TRAINER_FILE,
  "tenure.json",
  MANIFEST_FILE,
];

/** Names to look for in a folder that cannot be listed. */
export const FOLDER_FILES: readonly string[] = [...BESIDE_WEIGHTS, WEIGHTS_FILE, INDEX_FILE];

/** The files of a model, each under its name in the model's own folder. */
export interface Selection {
  readonly files: readonly SourceFile[];
  /** The model's own folder within what was chosen, with its slash; empty if that is all. */
  readonly root: string;
  /** What people call the model. */
  readonly name: string;
}

/**
 * Chooses what belongs to a model: of Hugging Face's layout the configuration, the tokenizer and the
 * weights; of a run, its best checkpoint, without the optimizer's state; a GGUF file; llama2.c's file
 * with its tokenizer.
 *
 * @throws {EngineError} `"unsupported"` if there is no model, `"corrupt"` if a shard is missing.
 */
export async function selectFiles(folder: SourceFolder, signal?: AbortSignal): Promise<Selection> {
  const { root, name } = await findRoot(folder, signal);
  const names = folder.paths
    .filter((path) => path.startsWith(root) && !path.slice(root.length).includes("/"))
    .map((path) => path.slice(root.length));
  const open = async (file: string): Promise<SourceFile> => {
    const found = await folder.open(root + file);
    if (found === undefined) throw missingShard(folder, file);
    return { ...found, path: file };
  };
  const single = singleModel(names);
  const chosen =
    single === undefined
      ? await folderNames(folder.name, names, { open, signal })
      : names.filter((file) => file === single || isTokenizerOf(file, single));
  return { name, root, files: await Promise.all(chosen.map(open)) };
}

/** Where in what was chosen the model lies: at its top, in its only folder, in a checkpoint. */
async function findRoot(
  folder: SourceFolder,
  signal: AbortSignal | undefined,
): Promise<{ readonly root: string; readonly name: string }> {
  const top = commonFolder(folder.paths);
  const isHere = (root: string) => folder.paths.includes(`${root}config.json`);
  const atTop = folder.paths.filter((path) => baseName(path) === path.slice(top.length));
  if (isHere(top) || singleModel(atTop.map(baseName)) !== undefined) {
    return { root: top, name: folder.name };
  }
  const steps = folder.paths
    .map((path) => /^checkpoint-(\d+)\/config\.json$/.exec(path.slice(top.length))?.[1])
    .filter((step) => step !== undefined)
    .toSorted((a, b) => Number(b) - Number(a));
  const [latest] = steps;
  if (latest === undefined) return { root: top, name: folder.name };
  const best = await bestOf(folder, `${top}checkpoint-${latest}/`, signal);
  const checkpoint = best !== undefined && isHere(`${top}${best}/`) ? best : `checkpoint-${latest}`;
  return { root: `${top}${checkpoint}/`, name: `${folder.name} ${checkpoint}` };
}

/** The best checkpoint of a run, as its latest one says. */
async function bestOf(
  folder: SourceFolder,
  latest: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const file = await folder.open(latest + TRAINER_FILE);
  if (file === undefined) return undefined;
  return decodeRunJson(await readWhole(file, signal)).best?.checkpoint;
}

/** Names of a model in Hugging Face's layout. */
async function folderNames(
  folder: string,
  names: readonly string[],
  {
    open,
    signal,
  }: {
    readonly open: (name: string) => Promise<SourceFile>;
    readonly signal: AbortSignal | undefined;
  },
): Promise<string[]> {
  if (!names.includes("config.json")) throw noModel(folder, names);
  const beside = BESIDE_WEIGHTS.filter((name) => names.includes(name));
  if (names.includes(WEIGHTS_FILE)) return [...beside, WEIGHTS_FILE];
  if (!names.includes(INDEX_FILE)) throw noModel(folder, names);
  const index = parseJsonObject(await readWhole(await open(INDEX_FILE), signal), INDEX_FILE);
  return [...beside, INDEX_FILE, ...shardNames(index)];
}

function noModel(folder: string, names: readonly string[]): EngineError {
  const pickle = names.find((name) => /\.(bin|pt|pth|pkl|ckpt)$/i.test(name));
  const isAdapter = names.includes("adapter_config.json");
  const got =
    pickle !== undefined
      ? `a pickle, "${pickle}", which runs code when it is read`
      : isAdapter
        ? "an adapter without the model beneath"
        : names.length === 0
          ? "no files"
          : names.slice(0, 5).join(", ");
  return new EngineError({
    kind: "unsupported",
    message: `Cannot read "${folder}": a model must have config.json with model.safetensors or its shards, be a GGUF file, or llama2.c's .bin, got ${got}`,
    remedy:
      pickle !== undefined
        ? "Save the model again as safetensors (safe_serialization=True)."
        : isAdapter
          ? "Merge it into its model with tenure export --merge, and choose the folder that this writes."
          : "Choose the folder that config.json lies in, or a .gguf file.",
  });
}

function missingShard({ name }: SourceFolder, file: string): EngineError {
  return new EngineError({
    kind: "corrupt",
    message: `Cannot read "${name}": "${file}" must be there, as ${INDEX_FILE} lists it, got no such file`,
    remedy: "Get the model's files again, all of them.",
  });
}
