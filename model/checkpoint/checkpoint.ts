import type { ModelConfig } from "../transformer/config.ts";
import { weightShapes } from "../transformer/weight_shapes.ts";
import { checkpointFiles } from "./checkpoint_files.ts";
import { configFromJson } from "./config_json.ts";
import { drainFile } from "./exported_file.ts";
import { type Generation, generationFromJson } from "./generation_config.ts";
import { checkWeights, weightsFromTensors, type WeightValues } from "./hugging_face.ts";
import { encodeManifest, MANIFEST_FILE, verifyManifest } from "./manifest.ts";
import { decodeSafetensors } from "./safetensors.ts";
import { type JsonObject, parseJsonObject } from "./strict_json.ts";
import { checkTokenizer } from "./tokenizer_check.ts";
import {
  decodeRun,
  OPTIMIZER_FILE,
  TRAINER_FILE,
  type RunSource,
  type RunState,
} from "./run_state.ts";

/** A model, and what a run needs to go on training it. */
export interface Checkpoint {
  readonly config: ModelConfig;
  /** Values by label, as `Transformer.create()` takes them. */
  readonly weights: WeightValues;
  /** Content of `tokenizer.json`, nothing but JSON. */
  readonly tokenizer?: object;
  /** Where generated text begins and ends. */
  readonly generation?: Generation;
  readonly trainer?: RunState;
}

/** Content of files by name. */
export type CheckpointFiles = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

const CONFIG_FILE = "config.json";
const WEIGHTS_FILE = "model.safetensors";
const GENERATION_FILE = "generation_config.json";
const TOKENIZER_FILE = "tokenizer.json";

/** Files that {@linkcode decodeCheckpoint} reads for a model alone. */
export const MODEL_FILES: readonly string[] = [
  CONFIG_FILE,
  WEIGHTS_FILE,
  GENERATION_FILE,
  TOKENIZER_FILE,
  MANIFEST_FILE,
];

/** Files that {@linkcode decodeCheckpoint} reads, besides, to go on training. */
export const TRAINER_FILES: readonly string[] = [OPTIMIZER_FILE, TRAINER_FILE];

/**
 * Writes a checkpoint as files in Hugging Face's layout, which read back bit for bit.
 *
 * Weights are copied once; the files together take as much memory as they will on disk.
 *
 * @param checkpoint What to keep.
 * @returns Files by name in the order to write them, `MANIFEST.json` with their SHA-256 last.
 * @throws {RangeError} If weights, moments or tokenizer do not fit the configuration.
 * @throws {TypeError} If the trainer's state holds anything but JSON.
 * @example
 * const files = await encodeCheckpoint({ config: model.config, weights });
 */
export async function encodeCheckpoint(
  checkpoint: Checkpoint,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const { config, weights, trainer, ...rest } = checkpoint;
  const exported = checkpointFiles({
    ...rest,
    config,
    weights: (label) => Promise.resolve(weights.get(label)!),
    ...(trainer !== undefined && { trainer: sourceOf(config, trainer) }),
  });
  checkWeights(config, weights);
  for (const [name, moment] of Object.entries(trainer?.optimizer ?? {})) {
    checkWeights(config, moment, `moment ${name} of weight`);
  }
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const file of exported) files.set(file.name, await drainFile(file));
  files.set(MANIFEST_FILE, await encodeManifest(files));
  return files;
}

/**
 * Reads a checkpoint of this program, or a model in Hugging Face's layout, all of it in memory;
 * weights of 16 bits become 32 bits wide. `storedHuggingFaceModel()` reads one in parts.
 *
 * Everything is checked before it is used: each file against the manifest, if there is one, and
 * tokenizer, weights and moments against the configuration.
 *
 * @param files Content by name, of those in {@linkcode MODEL_FILES} and
 * {@linkcode TRAINER_FILES} that exist. Without the latter, the result has no `trainer`.
 * @returns Weights and moments are views of the files' bytes where possible.
 * @throws {SyntaxError} If a file is missing, damaged or malformed, naming it.
 * @throws {RangeError} If sizes do not fit together, naming the weight or token.
 * @throws {TypeError} If weights are stored as another type than F32, F16 or BF16.
 */
export async function decodeCheckpoint(files: CheckpointFiles): Promise<Checkpoint> {
  await verifyManifest(files);
  const { config, modelType } = configFromJson(
    parseJsonObject(required(files, CONFIG_FILE), CONFIG_FILE),
    CONFIG_FILE,
  );
  const generation = optionalJson(files, GENERATION_FILE);
  const tokenizer = optionalJson(files, TOKENIZER_FILE);
  if (tokenizer !== undefined) checkTokenizer(tokenizer, config, TOKENIZER_FILE);
  const stored = decodeSafetensors(required(files, WEIGHTS_FILE), WEIGHTS_FILE);
  const weights = weightsFromTensors({ config, modelType, file: WEIGHTS_FILE }, stored);
  const trainer = decodeRun(config, files);
  return {
    config,
    weights,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    ...(generation === undefined
      ? {}
      : { generation: generationFromJson(generation, config, GENERATION_FILE) }),
    ...(trainer === undefined ? {} : { trainer }),
  };
}

function sourceOf(config: ModelConfig, { optimizer, ...record }: RunState): RunSource {
  return {
    ...record,
    shapes: weightShapes(config),
    moment: (label, moment) => Promise.resolve(optimizer[moment].get(label)!),
  };
}

function required(files: CheckpointFiles, name: string): Uint8Array<ArrayBuffer> {
  const content = files.get(name);
  if (content !== undefined) return content;
  throw new SyntaxError(
    `Cannot read "${name}": it must be there, got ${files.size === 0 ? "no files" : `only ${[...files.keys()].join(", ")}`}`,
  );
}

function optionalJson(files: CheckpointFiles, name: string): JsonObject | undefined {
  const content = files.get(name);
  return content === undefined ? undefined : parseJsonObject(content, name);
}
