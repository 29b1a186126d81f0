import type { ByteSource, FileSet } from "./byte_source.ts";
import { openSafetensors, type SafetensorsSource, type TensorInFile } from "./safetensors_file.ts";
import { readSmallFile } from "./small_file.ts";
import { brief, isJsonObject, type JsonObject, parseJsonObject } from "./strict_json.ts";

/** Name of the file with all weights of a model. */
export const WEIGHTS_FILE = "model.safetensors";

/** Name of the file that says which shard holds which tensor. */
export const INDEX_FILE = "model.safetensors.index.json";

/** Where programs other than this one keep weights as pickles. */
const PICKLES = [
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
  "pytorch_model.pt",
  "pytorch_model.pth",
  "pytorch_model.pkl",
  "model.bin",
  "model.pt",
  "model.pth",
  "model.pkl",
  "consolidated.00.pth",
];

/**
 * Opens the weights of a model in a folder: `model.safetensors`, or else the shards that
 * `model.safetensors.index.json` lists. Headers are read, and checked against that list; its
 * `metadata` is not, as what it says of sizes is often out of date, and headers prove them.
 *
 * @throws {SyntaxError} If there are none, if only pickles are there, or if files are malformed,
 * missing, or hold other tensors than listed, naming file and tensor.
 */
export async function openWeights(files: FileSet): Promise<SafetensorsSource> {
  const single = await files.open(WEIGHTS_FILE);
  if (single !== undefined) return openSafetensors(single);
  const index = await files.open(INDEX_FILE);
  if (index !== undefined) return openShards(files, await readJson(index));
  for (const name of PICKLES) {
    if ((await files.open(name)) === undefined) continue;
    throw new SyntaxError(
      `Cannot read "${files.name}": weights must be safetensors, got only "${name}"; reading a ` +
        "pickle runs the code in it, so save the model again with safe_serialization=True",
    );
  }
  throw new SyntaxError(
    `Cannot read "${files.name}": ${WEIGHTS_FILE} or ${INDEX_FILE} must be there, got neither`,
  );
}

/**
 * Reads a whole JSON file.
 *
 * @throws {SyntaxError} If it is too long or malformed.
 */
export async function readJson(source: ByteSource): Promise<JsonObject> {
  return parseJsonObject(await readSmallFile(source), source.name);
}

async function openShards(files: FileSet, index: JsonObject): Promise<SafetensorsSource> {
  const shardOf = readWeightMap(index);
  const tensors = new Map<string, TensorInFile>();
  for (const name of new Set(shardOf.values())) {
    const source = await files.open(name);
    if (source === undefined) throw problem(`shard "${name}" must be beside it`, "no such file");
    for (const [tensor, stored] of (await openSafetensors(source)).tensors) {
      const listed = shardOf.get(tensor);
      if (listed !== name) {
        const rule = `tensor "${tensor}" must be only where it is listed, ${listed ?? "nowhere"}`;
        throw problem(rule, `one in "${name}"`);
      }
      tensors.set(tensor, stored);
    }
  }
  const missing = [...shardOf.keys()].find((name) => !tensors.has(name));
  if (missing !== undefined) {
    throw problem(`tensor "${missing}" must be in "${shardOf.get(missing)}"`, "none");
  }
  return { name: INDEX_FILE, tensors };
}

/**
 * Names of the shards that an index lists, each once.
 *
 * @param index Content of {@linkcode INDEX_FILE}.
 * @throws {SyntaxError} If it is malformed, or names a file outside of its folder.
 */
export function shardNames(index: JsonObject): string[] {
  return [...new Set(readWeightMap(index).values())];
}

/** The shard of each tensor, by name. */
function readWeightMap(index: JsonObject): Map<string, string> {
  const { weight_map: map } = index;
  if (!isJsonObject(map)) throw problem("weight_map must be an object", brief(map));
  return new Map(
    Object.entries(map).map(([tensor, name]): [string, string] => {
      if (typeof name !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(name)) {
        const rule = "names of shards must end in .safetensors and be plain, without folders";
        throw problem(rule, `${brief(name)} for tensor "${tensor}"`);
      }
      return [tensor, name];
    }),
  );
}

function problem(rule: string, got: string): SyntaxError {
  return new SyntaxError(`Cannot read "${INDEX_FILE}": ${rule}, got ${got}`);
}
