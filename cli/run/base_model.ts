import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Tokenizer } from "../../data/mod.ts";
import { Fields } from "../../model/checkpoint/fields.ts";
import { isJsonObject, type JsonObject } from "../../model/checkpoint/strict_json.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { bestCheckpoint, listCheckpoints } from "../platform/checkpoints.ts";
import { type ModelPathOptions, openModelPath } from "../platform/model_folder.ts";
import { findModelPlace, isPartlyIn, realPathOf } from "../platform/model_place.ts";
import { holds, RUN_FILE } from "./run_folder.ts";

/** Somebody's model that a run begins with. */
export interface BaseModel {
  /** Where it was found: a path, of a run its best checkpoint's, a URL, or a name in the cache. */
  readonly path: string;
  readonly stored: StoredModel;
  readonly tokenizer: Tokenizer;
  /** SHA-256 of what tells it from others: {@linkcode fingerprintOf}. */
  readonly fingerprint: string;
}

/** What a checkpoint says of the model that it adapts. */
export interface BaseRecord {
  readonly path: string;
  readonly fingerprint: string;
}

/**
 * Opens the model that a run begins with.
 *
 * @throws {CliError} With exit code 5 if it is not there, malformed, or has no tokenizer that can
 *   end a document.
 */
export async function openBaseModel(
  pathOrName: string,
  options: Pick<ModelPathOptions, "revision"> = {},
): Promise<BaseModel> {
  const path = await steadyPath(pathOrName);
  const stored = await openModelPath(path, options);
  return failingAs(EXIT.checkpoint, async () => {
    const tokenizer = tokenizerOfModel(stored);
    if (!tokenizer.hasEnd) {
      throw new SyntaxError(
        `Cannot train "${pathOrName}": its tokenizer must have a token that ends documents, got none; name one as eos_token in its tokenizer_config.json`,
      );
    }
    return { path, stored, tokenizer, fingerprint: await fingerprintOf(stored) };
  });
}

/** A path that stands for the same model later: of a run, its best checkpoint now. */
async function steadyPath(pathOrName: string): Promise<string> {
  if (!existsSync(pathOrName)) return pathOrName;
  const path = resolve(pathOrName);
  if (!statSync(path).isDirectory() || (await holds(path, "config.json"))) return path;
  const isRun = (await holds(path, RUN_FILE)) || (await listCheckpoints(path)).length > 0;
  return isRun ? bestCheckpoint(path) : path;
}

/**
 * Checks that a run does not remove the model that it begins with.
 *
 * @throws {CliError} With exit code 2 if the model lies in the folder of the run, where a run that
 *   begins anew removes what was there, and any run its older checkpoints.
 */
export async function checkApartFromRun(
  { path }: BaseModel,
  { runFolder, overwrite }: { readonly runFolder: string; readonly overwrite: boolean },
): Promise<void> {
  const place = await findModelPlace(path);
  if (place === undefined || !isPartlyIn(place, await realPathOf(runFolder))) return;
  if (!overwrite && !/^checkpoint-\d+$/.test(basename(place.path))) return;
  throw new CliError(
    EXIT.usage,
    `Cannot train in "${runFolder}": the folder must lie apart from the model to begin with, got "${path}" in it; use another folder`,
  );
}

/** Options of {@linkcode reopenBaseModel}. */
export interface ReopenOptions {
  /** Where it is now, if the user says so. */
  readonly given?: string;
  /** Path of the checkpoint, for errors. */
  readonly checkpoint: string;
  /** Branch, tag or commit of a model in the cache. */
  readonly revision?: string;
  /** How to name another, for errors. @default {by `--model`} */
  readonly remedy?: string;
}

/**
 * Opens the model that a checkpoint adapts, and checks that it still is the one.
 *
 * @throws {CliError} With exit code 5 if it is not there, or another.
 */
export async function reopenBaseModel(
  { path, fingerprint }: BaseRecord,
  { given, checkpoint, revision, remedy = "say where it is with --model <path>" }: ReopenOptions,
): Promise<BaseModel> {
  const options = revision === undefined ? {} : { revision };
  const base = await openBaseModel(given ?? path, options).catch((cause: unknown) => {
    if (given !== undefined || !(cause instanceof Error)) throw cause;
    throw new CliError(
      EXIT.checkpoint,
      `Cannot use "${checkpoint}": the model that it adapts must be at "${path}", got: ${cause.message}; ${remedy}`,
      { cause },
    );
  });
  if (base.fingerprint === fingerprint) return base;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot use "${checkpoint}": the model that it adapts must be the one it was trained on, got another or a changed one at "${base.path}"; ${remedy}`,
  );
}

/**
 * Tells models apart without reading them whole: by configuration and tokenizer, types and shapes
 * of all weights, and the values of every vector and of the last block. Training moves all of
 * these, and merging an adapter the last block's.
 */
export async function fingerprintOf(stored: StoredModel): Promise<string> {
  const { config, tokenizer = null, weights } = stored;
  const sum = createHash("sha256");
  const types = Array.from(weights, ([label, { dtype, shape }]) => [label, dtype, shape]);
  sum.update(JSON.stringify([config, tokenizer, types]));
  const last = `model.layers.${config.numBlocks - 1}.`;
  for (const [label, weight] of weights) {
    if (weight.shape.length > 1 && !label.startsWith(last)) continue;
    sum.update((await weight.read()).bytes);
  }
  return sum.digest("hex");
}

/** What a checkpoint's trainer says of the model it adapts; undefined where it adapts none. */
export function baseOfState(state: JsonObject, file: string): BaseRecord | undefined {
  const base = state["base"];
  if (!isJsonObject(base)) return undefined;
  const fields = new Fields(base, file);
  const text = (key: string): string => {
    const value = fields.raw(key);
    return typeof value === "string" ? value : fields.refuse(key, "must be text");
  };
  return { path: text("path"), fingerprint: text("fingerprint") };
}
