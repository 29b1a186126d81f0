import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { titleTokens, Tokenizer } from "../../data/mod.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { Checkpoint } from "../../model/checkpoint/checkpoint.ts";
import { decodeRunJson, TRAINER_FILE } from "../../model/checkpoint/run_state.ts";
import { isJsonObject, type JsonObject } from "../../model/checkpoint/strict_json.ts";
import { LanguageModel } from "../../model/occupation/language_model.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { latestCheckpoint, loadCheckpoint } from "../platform/checkpoints.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { holds, RUN_FILE } from "./run_folder.ts";
import { wordingOfSettings } from "./settings.ts";
import { resumeOptions, type Wording } from "./wording.ts";

/** A trained model as it lies on disk, with what it takes to ask it. */
export interface TrainedModel {
  /** Folder of the checkpoint. */
  readonly path: string;
  /** Folder of the run that the checkpoint belongs to; none if it lies elsewhere. */
  readonly runFolder?: string;
  /** Whether this very checkpoint was asked for, not the best one of its run. */
  readonly isChosen: boolean;
  readonly checkpoint: Checkpoint;
  readonly step: number;
  readonly settings: JsonObject;
  readonly wording: Wording;
  readonly tokenizer: Tokenizer;
}

const CONFIG_FILE = "config.json";

/**
 * Opens a checkpoint, or the best one of a run.
 *
 * @param path Folder of a checkpoint or of a run; of a run without validation, the latest is taken.
 * @throws {CliError} With exit code 5 if there is none, it is damaged, or was not trained by
 *   `tenure train`.
 */
export async function openTrainedModel(path: string): Promise<TrainedModel> {
  const isCheckpoint = await holds(path, CONFIG_FILE);
  const folder = isCheckpoint ? path : await bestCheckpoint(path);
  const parent = dirname(resolve(path));
  const runFolder = isCheckpoint ? ((await holds(parent, RUN_FILE)) ? parent : undefined) : path;
  const checkpoint = await loadCheckpoint(folder, { trainer: false });
  return failingAs(EXIT.checkpoint, async () => {
    const { step, settings } = await readSettings(folder);
    if (checkpoint.tokenizer === undefined) {
      throw new SyntaxError(`Cannot use "${folder}": it must hold a tokenizer.json, got none`);
    }
    return {
      path: folder,
      ...(runFolder !== undefined && { runFolder }),
      isChosen: isCheckpoint,
      checkpoint,
      step,
      settings,
      wording: wordingOfSettings(settings, join(folder, TRAINER_FILE)),
      tokenizer: Tokenizer.fromJson(checkpoint.tokenizer),
    };
  });
}

/** Puts a trained model onto a device, as an occupation model. */
export async function createLanguageModel(
  gpu: Gpu,
  { checkpoint, tokenizer, wording }: TrainedModel,
  { name = "language model", tolerance }: { readonly name?: string; readonly tolerance: number },
): Promise<LanguageModel> {
  return failingAs(EXIT.device, () => {
    const model = Transformer.create(gpu, checkpoint.config, { values: checkpoint.weights });
    const titles = titleTokens(tokenizer, resumeOptions(wording));
    return new LanguageModel(gpu, model, { name, titles, tolerance });
  });
}

/**
 * Folder of the best checkpoint of a run that is still there, or of the latest.
 *
 * @throws {CliError} With exit code 5 if there is none.
 */
export async function bestCheckpoint(runFolder: string): Promise<string> {
  const latest = await latestCheckpoint(runFolder);
  if (latest === undefined) {
    throw new CliError(
      EXIT.checkpoint,
      `Cannot read "${runFolder}": it must be a checkpoint or the folder of a run, got neither`,
    );
  }
  const { best } = await readState(latest.path);
  if (best === undefined) return latest.path;
  const path = join(runFolder, basename(best.checkpoint));
  return (await holds(path, CONFIG_FILE)) ? path : latest.path;
}

async function readState(folder: string): Promise<ReturnType<typeof decodeRunJson>> {
  const path = join(folder, TRAINER_FILE);
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CliError(
      EXIT.checkpoint,
      `Cannot use "${folder}": a checkpoint of tenure train must be given, got one without ${TRAINER_FILE}`,
      { cause },
    );
  });
  return failingAs(EXIT.checkpoint, () => decodeRunJson(bytes));
}

async function readSettings(folder: string): Promise<{ step: number; settings: JsonObject }> {
  const { step, state } = await readState(folder);
  const settings = state["settings"];
  if (isJsonObject(settings)) return { step, settings };
  throw new SyntaxError(
    `Cannot use "${folder}": its ${TRAINER_FILE} must say how careers were worded, got nothing of it`,
  );
}
