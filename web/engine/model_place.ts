import type { FileSet } from "../../model/checkpoint/byte_source.ts";
import { decodeManifest, MANIFEST_FILE } from "../../model/checkpoint/manifest.ts";
import { decodeRunJson, TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import { readSmallFile } from "../../model/checkpoint/small_file.ts";
import { isTokenizerOf, singleModel } from "../../model/pretrained/single_file.ts";
import { EngineError } from "./errors.ts";
import type { ModelFiles } from "./model_files.ts";

/** Where among some files a model is: in a folder, or in one file with its tokenizer beside. */
export interface ModelPlace {
  /** The folder. */
  readonly files: FileSet;
  /** What people would call the model. */
  readonly name: string;
  /** Set if the model is one file. */
  readonly single?: string;
  readonly tokenizer?: string;
}

const CONFIG_FILE = "config.json";
const ADAPTER_FILE = "adapter_config.json";

/** Names that llama2.c's tokenizers go by, where files cannot be listed. */
const TOKENIZER_NAMES = ["tokenizer.bin", "tokenizer.json"];

/**
 * Finds the model among files: a folder in Hugging Face's layout wherever it lies, the best
 * checkpoint of a run, or a file that is a model by itself.
 *
 * @throws {EngineError} Of kind `"unsupported"` if there is none, or several, or an adapter.
 */
export async function findModel(files: ModelFiles): Promise<ModelPlace> {
  const { paths, title } = files;
  const place = paths === undefined ? await findUnlisted(files) : await findAmong(files, paths);
  return title === undefined ? place : { ...place, name: title };
}

async function findAmong(files: ModelFiles, paths: readonly string[]): Promise<ModelPlace> {
  const folders = foldersOf(paths);
  const run = runOf(folders);
  if (run !== undefined) return bestOf(files, run);
  const withModel = [...folders].filter(([, names]) => isModel(names));
  const least = Math.min(...withModel.map(([folder]) => depthOf(folder)));
  const nearest = withModel.filter(([folder]) => depthOf(folder) === least);
  if (nearest.length > 1) {
    const shown = nearest.map(([folder]) => `"${folder}"`).slice(0, 3);
    throw notAModel(`one model must be chosen, got several: ${shown.join(", ")}`, {
      remedy: "Choose the folder of one of them.",
    });
  }
  const [first] = nearest;
  if (first === undefined) throw nothingIn([...folders.values()].flat());
  const [folder, names] = first;
  return placeIn(files, folder, names);
}

function placeIn(files: ModelFiles, folder: string, names: readonly string[]): ModelPlace {
  const within = folderWithin(files, folder);
  const last = folder.split("/").pop()!;
  const single = singleModel(names);
  if (single !== undefined) {
    const tokenizer = names.find((name) => name !== single && isTokenizerOf(name, single));
    return { files: within, name: single, single, ...(tokenizer !== undefined && { tokenizer }) };
  }
  if (!names.includes(CONFIG_FILE)) throw adapter();
  return { files: within, name: last === "" ? "chosen model" : last };
}

/** Names of files by folder, the root being `""`. */
function foldersOf(paths: readonly string[]): Map<string, string[]> {
  const folders = new Map<string, string[]>();
  for (const path of paths) {
    const at = path.lastIndexOf("/");
    const folder = path.slice(0, Math.max(0, at));
    const names = folders.get(folder) ?? [];
    names.push(path.slice(at + 1));
    folders.set(folder, names);
  }
  return folders;
}

function isModel(names: readonly string[]): boolean {
  return [CONFIG_FILE, ADAPTER_FILE].some((name) => names.includes(name)) || !!singleModel(names);
}

function depthOf(folder: string): number {
  return folder === "" ? 0 : folder.split("/").length;
}

/** Folders of a run's checkpoints, the highest step first; none if no run was chosen. */
function runOf(folders: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const found = [...folders.keys()].filter((folder) => {
    const parent = parentOf(folder);
    return stepOf(folder) >= 0 && !isModel(folders.get(parent) ?? []);
  });
  const [first] = found;
  // A checkpoint that was chosen alone is a model like any other.
  if (first === undefined || (found.length === 1 && parentOf(first) === "" && !isRun(folders)))
    return undefined;
  return found
    .filter((folder) => parentOf(folder) === parentOf(first))
    .toSorted((one, other) => stepOf(other) - stepOf(one));
}

function isRun(folders: ReadonlyMap<string, readonly string[]>): boolean {
  return (folders.get("") ?? []).includes("run.json");
}

function parentOf(folder: string): string {
  return folder.slice(0, Math.max(0, folder.lastIndexOf("/")));
}

/** Step of a checkpoint's folder, or −1 of another. */
function stepOf(folder: string): number {
  const found = /(?:^|\/)checkpoint-(\d+)$/.exec(folder);
  return found === null ? -1 : Number(found[1]);
}

/** The best checkpoint of a run, as the latest whole one remembers it, or else that one. */
async function bestOf(files: ModelFiles, run: readonly string[]): Promise<ModelPlace> {
  const whole: string[] = [];
  for (const folder of run) if (await isWhole(files, folder)) whole.push(folder);
  const [latest] = whole;
  if (latest === undefined) {
    throw new EngineError({
      kind: "corrupt",
      message: `Cannot read the run: a checkpoint must be whole, got none of ${run.length}`,
      remedy: "Copy the folder of the run again, all of it.",
    });
  }
  const trainer = await folderWithin(files, latest).open(TRAINER_FILE);
  const { best } = trainer === undefined ? {} : decodeRunJson(await readSmallFile(trainer));
  const name = best?.checkpoint.split("/").pop();
  const folder = whole.find((one) => one.split("/").pop() === name) ?? latest;
  const names = files.paths!.filter((path) => parentOf(path) === folder);
  const place = placeIn(
    files,
    folder,
    names.map((path) => path.slice(folder.length + 1)),
  );
  const parent = parentOf(folder).split("/").pop()!;
  return parent === "" ? place : { ...place, name: `${parent}, ${place.name}` };
}

/** Whether every file that the manifest lists is there at its length, as far as that is told. */
async function isWhole(files: ModelFiles, folder: string): Promise<boolean> {
  const manifest = await files.open(`${folder}/${MANIFEST_FILE}`);
  if (manifest === undefined) return false;
  try {
    for (const [name, { bytes }] of decodeManifest(await readSmallFile(manifest))) {
      // The moments of the optimizer are for those who go on training.
      if (name === "optimizer.safetensors") continue;
      const path = `${folder}/${name}`;
      const length = files.lengths?.get(path) ?? (await files.open(path))?.size;
      if (length !== bytes) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function findUnlisted(files: ModelFiles): Promise<ModelPlace> {
  const { single } = files;
  if (single === undefined) {
    if ((await files.open(CONFIG_FILE)) !== undefined) return { files, name: files.name };
    if ((await files.open(ADAPTER_FILE)) !== undefined) throw adapter();
    throw notAModel(`"${files.name}" must hold ${CONFIG_FILE}, got none`, {
      remedy: "Name the folder of a model, of one checkpoint of a run, or a .gguf file.",
    });
  }
  if (!single.endsWith(".bin")) return { files, name: single, single };
  for (const tokenizer of TOKENIZER_NAMES) {
    if ((await files.open(tokenizer)) !== undefined) {
      return { files, name: single, single, tokenizer };
    }
  }
  return { files, name: single, single };
}

function folderWithin(files: ModelFiles, folder: string): FileSet {
  const prefix = folder === "" ? "" : `${folder}/`;
  return { name: folder || files.name, open: (name) => files.open(`${prefix}${name}`) };
}

function nothingIn(names: readonly string[]): EngineError {
  const pickle = names.find((name) => /\.(pt|pth|pkl|ckpt|bin)$/i.test(name));
  if (pickle !== undefined) {
    return notAModel(`weights must be safetensors or GGUF, got the pickle "${pickle}"`, {
      remedy: "Save the model again as safetensors: reading a pickle would run the code in it.",
    });
  }
  const got = names.length === 0 ? "no files" : `${names.length} files with neither`;
  return notAModel(`there must be a ${CONFIG_FILE} with weights, or a .gguf file, got ${got}`, {
    remedy: "Choose the folder of a model, of a run of tenure train, or a .gguf file.",
  });
}

function adapter(): EngineError {
  return notAModel("it must be a whole model, got an adapter", {
    remedy: "Merge it into its model: tenure export <adapter> --merge -o <folder>, and take that.",
  });
}

function notAModel(rule: string, { remedy }: { readonly remedy: string }): EngineError {
  return new EngineError({
    kind: "unsupported",
    message: `Cannot load a model: ${rule}`,
    remedy,
  });
}
