import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  decodeManifest,
  MANIFEST_FILE,
  type ManifestEntry,
} from "../../model/checkpoint/manifest.ts";
import { OPTIMIZER_FILE, TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import { PEFT_CONFIG_FILE } from "../../model/lora/peft_config.ts";
import { PEFT_WEIGHTS_FILE } from "../../model/lora/peft_names.ts";
import { CliError, EXIT } from "./errors.ts";
import { fileError } from "./files.ts";

const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"];

/** Files of a model that are read. */
export const MODEL_FILES: readonly string[] = [
  "config.json",
  "model.safetensors",
  "generation_config.json",
  ...TOKENIZER_FILES,
];

/** Files of an adapter that are read; the first tells it from a model. */
export const ADAPTER_FILES: readonly string[] = [
  PEFT_CONFIG_FILE,
  PEFT_WEIGHTS_FILE,
  ...TOKENIZER_FILES,
];

/** Files that are read, besides, to go on training. */
export const TRAINER_FILES: readonly string[] = [OPTIMIZER_FILE, TRAINER_FILE];

/** Whether a folder holds a model or an adapter of its own, as a run does not. */
export async function isCheckpointFolder(path: string): Promise<boolean> {
  for (const name of [MODEL_FILES[0]!, ADAPTER_FILES[0]!]) {
    const found = await stat(join(path, name)).catch(() => undefined);
    if (found?.isFile() === true) return true;
  }
  return false;
}

/**
 * Checks that every file that the manifest of a checkpoint lists is there, of its length and, if
 * thorough, with the sum that it was saved with.
 *
 * @throws {Error} If not, or there is no manifest, with a sentence about the first that is not.
 */
export async function checkWhole(
  folder: string,
  { isThorough }: { readonly isThorough: boolean },
): Promise<void> {
  for (const [name, { bytes, sha256 }] of await readManifest(folder)) {
    const file = join(folder, name);
    const { size } = await stat(file);
    if (size !== bytes) throw new Error(`"${file}" must have ${bytes} bytes, got ${size}`);
    if (!isThorough || (await hash(file)) === sha256) continue;
    throw new Error(`"${file}" must have the SHA-256 it was saved with, got another`);
  }
}

/**
 * Checks files of a folder against the manifest in it. Without one, as in a model that another
 * program wrote, there is nothing to check.
 *
 * @param names Files that are there.
 * @throws {CliError} With the code of checkpoints, naming the file that is not as it was saved.
 */
export async function checkListed(folder: string, names: readonly string[]): Promise<void> {
  const found = await stat(join(folder, MANIFEST_FILE)).catch(() => undefined);
  if (found === undefined) return;
  const manifest = await readManifest(folder);
  for (const name of names) {
    const path = join(folder, name);
    const rule = await problemOf(path, manifest.get(name));
    if (rule !== undefined) throw new CliError(EXIT.checkpoint, `Cannot read "${path}": ${rule}`);
  }
}

async function problemOf(path: string, entry: ManifestEntry | undefined) {
  if (entry === undefined) {
    return `it must be listed in ${MANIFEST_FILE}, got a file of unknown origin`;
  }
  const { size } = await stat(path);
  if (size !== entry.bytes) {
    return `it must have ${entry.bytes} bytes as when it was saved, got ${size}`;
  }
  if ((await hash(path)) === entry.sha256) return undefined;
  return "its SHA-256 must be the one it was saved with, got another; the file is damaged";
}

async function readManifest(folder: string): Promise<Map<string, ManifestEntry>> {
  const path = join(folder, MANIFEST_FILE);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fileError("read", path, { error, exitCode: EXIT.checkpoint });
  });
  try {
    return decodeManifest(bytes);
  } catch (error) {
    const message = (error as Error).message.replace(`"${MANIFEST_FILE}"`, `"${path}"`);
    throw new CliError(EXIT.checkpoint, message, { cause: error });
  }
}

async function hash(path: string): Promise<string> {
  const sum = createHash("sha256");
  for await (const piece of createReadStream(path)) sum.update(piece as Buffer);
  return sum.digest("hex");
}
