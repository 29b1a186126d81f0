import { dirname, join, resolve } from "node:path";
import { titleTokens } from "../../data/encode_resume.ts";
import type { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { WeightDType } from "../../engine/pack.ts";
import type { FileSet } from "../../model/checkpoint/byte_source.ts";
import {
  openTrainerRecord,
  TRAINER_FILE,
  type TrainerRecord,
} from "../../model/checkpoint/run_state.ts";
import { readJson } from "../../model/checkpoint/shards.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { isJsonObject, type JsonObject } from "../../model/checkpoint/strict_json.ts";
import { attachLora, type LoraAdapter } from "../../model/lora/adapter.ts";
import { readPeft } from "../../model/lora/read_peft.ts";
import { LanguageModel } from "../../model/occupation/language_model.ts";
import { tokenizerOfModel } from "../../model/pretrained/load_pretrained.ts";
import { loadTransformer } from "../../model/pretrained/load_transformer.ts";
import { openFolder } from "../../model/pretrained/open_model.ts";
import {
  bestCheckpoint,
  type CheckpointFolder,
  isCheckpointFolder,
  openCheckpoint,
} from "../platform/checkpoints.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { withPath } from "../platform/file_source.ts";
import { baseOfState, reopenBaseModel } from "./base_model.ts";
import { holds, RUN_FILE } from "./run_folder.ts";
import { baseDtypeOfSettings } from "./settings.ts";
import { wordingOfSettings } from "../../model/checkpoint/wording_json.ts";
import { resumeOptions, type Wording } from "../../data/wording.ts";

/** Weights of a model on disk, or of the one that adapters stand on. */
interface ModelSource {
  /** Its weights are yet to be read. */
  readonly stored: StoredModel;
  /** How its weights are held: as in training. */
  readonly dtype: WeightDType;
  readonly adapter?: LoraAdapter;
}

/** A trained model as it lies on disk, with what it takes to ask it. */
export interface TrainedModel extends ModelSource {
  /** Folder of the checkpoint. */
  readonly path: string;
  /** Folder of the run that the checkpoint belongs to; none if it lies elsewhere. */
  readonly runFolder?: string;
  /** Whether this very checkpoint was asked for, not the best one of its run. */
  readonly isChosen: boolean;
  readonly step: number;
  readonly settings: JsonObject;
  readonly wording: Wording;
  readonly tokenizer: Tokenizer;
}

/** Options of {@linkcode openTrainedModel}. */
export interface TrainedModelOptions {
  /** Where the model that adapters stand on is now, if it has moved since. */
  readonly model?: string;
}

/**
 * Opens a checkpoint, or the best one of a run. Weights are yet to be read.
 *
 * @param path Folder of a checkpoint or of a run; of a run without validation, the latest is taken.
 * @throws {CliError} With exit code 5 if there is none, it is damaged, was not trained by
 *   `tenure train`, or the model that it adapts has moved or changed.
 */
export async function openTrainedModel(
  path: string,
  options: TrainedModelOptions = {},
): Promise<TrainedModel> {
  const isChosen = await isCheckpointFolder(path);
  const folder = isChosen ? path : await bestCheckpoint(path);
  const parent = dirname(resolve(path));
  const runFolder = isChosen ? ((await holds(parent, RUN_FILE)) ? parent : undefined) : path;
  const opened = await openCheckpoint(folder, { trainer: false });
  return withPath(folder, async () => {
    const record = await readRecord(folder, opened);
    const settings = settingsOf(folder, record);
    const source = opened.isAdapter
      ? await openAdapted(folder, { files: opened.files, record, settings }, options)
      : { stored: await openFolder(opened.files), dtype: "f32" as const };
    if (source.stored.tokenizer === undefined) {
      throw new SyntaxError(`Cannot use "${folder}": it must hold a tokenizer.json, got none`);
    }
    return {
      path: folder,
      ...(runFolder !== undefined && { runFolder }),
      isChosen,
      ...source,
      step: record.step,
      settings,
      wording: wordingOfSettings(settings, join(folder, TRAINER_FILE)),
      tokenizer: tokenizerOfModel(source.stored),
    };
  });
}

/** An adapter, and the model that it stands on, with the adapter's own tokenizer. */
async function openAdapted(
  folder: string,
  {
    files,
    record,
    settings,
  }: {
    readonly files: FileSet;
    readonly record: TrainerRecord;
    readonly settings: JsonObject;
  },
  { model }: TrainedModelOptions,
): Promise<ModelSource> {
  const file = join(folder, TRAINER_FILE);
  const base = baseOfState(record.state, file);
  if (base === undefined) {
    throw new SyntaxError(`Cannot read "${file}": it must name the model adapted, got none`);
  }
  const { stored } = await reopenBaseModel(base, {
    checkpoint: folder,
    ...(model !== undefined && { given: model }),
  });
  const tokenizer = await files.open("tokenizer.json");
  return {
    stored: {
      ...stored,
      ...(tokenizer !== undefined && { tokenizer: await readJson(tokenizer) }),
    },
    dtype: baseDtypeOfSettings(settings, file),
    adapter: await readPeft(files, stored.config),
  };
}

/** Puts a trained model onto a device, as an occupation model. */
export async function createLanguageModel(
  gpu: Gpu,
  { stored, dtype, adapter, tokenizer, wording }: TrainedModel,
  { name = "language model", tolerance }: { readonly name?: string; readonly tolerance: number },
): Promise<LanguageModel> {
  return failingAs(EXIT.device, async () => {
    const base = await loadTransformer(gpu, stored, { dtype });
    const model =
      adapter === undefined
        ? base
        : attachLora(gpu, base, adapter.config, { values: adapter.values });
    const titles = titleTokens(tokenizer, resumeOptions(wording));
    return new LanguageModel(gpu, model, { name, titles, tolerance });
  });
}

function readRecord(folder: string, { files, names }: CheckpointFolder): Promise<TrainerRecord> {
  if (names.includes(TRAINER_FILE)) return openTrainerRecord(files);
  throw new CliError(
    EXIT.checkpoint,
    `Cannot use "${folder}": a checkpoint of tenure train must be given, got one without ${TRAINER_FILE}`,
  );
}

function settingsOf(folder: string, { state }: TrainerRecord): JsonObject {
  const settings = state["settings"];
  if (isJsonObject(settings)) return settings;
  throw new SyntaxError(
    `Cannot use "${folder}": its ${TRAINER_FILE} must say how careers were worded, got nothing of it`,
  );
}
