import { Fields } from "../../model/checkpoint/fields.ts";
import type { FileSet } from "../../model/checkpoint/byte_source.ts";
import {
  openRun,
  openTrainerRecord,
  type StoredRun,
  type TrainerRecord,
} from "../../model/checkpoint/run_state.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import { isJsonObject, type JsonObject } from "../../model/checkpoint/strict_json.ts";
import { openFolder } from "../../model/pretrained/open_model.ts";
import { INITIAL_STATE, type TrainerState } from "../../model/train/trainer.ts";
import {
  latestCheckpoint,
  listCheckpoints,
  openCheckpoint,
  setAsideAfter,
} from "../platform/checkpoints.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { withPath } from "../platform/file_source.ts";
import type { BaseRecord } from "./base_model.ts";
import { clearRun, readRunInfo } from "./run_folder.ts";
import { trainedShapes } from "./run_model.ts";
import { firstDifference, type RunSettings, settingsToJson } from "./settings.ts";
import { type TuningRecord, tuningRecordOf, tuningRecordToJson } from "./tuning.ts";

/** How a run begins in a folder that may hold one. */
export interface StartRequest {
  readonly runFolder: string;
  readonly settings: RunSettings;
  /** `"latest"`, or the path of a checkpoint; by default the latest, if there is one. */
  readonly resumeFrom?: string;
  /** Goes on although settings differ from before. */
  readonly force: boolean;
  /** Begins anew, whatever is there. */
  readonly overwrite: boolean;
}

/** A checkpoint to go on from, its tensors yet to be read. */
export interface RunCheckpoint {
  readonly path: string;
  readonly files: FileSet;
  /** The model in it; without one, it holds an adapter. */
  readonly model?: StoredModel;
  readonly run: StoredRun;
}

/** Where a run begins. */
export interface Start {
  readonly state: TrainerState;
  /** Weights and moments to begin with; random ones and zeros without. */
  readonly checkpoint?: RunCheckpoint;
  /** Steps that an earlier process decided on, for the same length. */
  readonly maxSteps?: number;
  /** How kernels were run before. */
  readonly tuning?: TuningRecord | undefined;
}

/**
 * Finds out whether to begin a run or to go on with one, and checks that it is the same.
 *
 * @throws {CliError} With exit code 5 if there is no checkpoint to go on from, or it is damaged;
 *   exit code 2 if the settings are not those of before.
 */
export async function findStart(request: StartRequest): Promise<Start> {
  const { runFolder, settings, resumeFrom, force, overwrite } = request;
  if (overwrite) return { state: INITIAL_STATE };
  const info = await readRunInfo(runFolder);
  const path =
    resumeFrom === undefined || resumeFrom === "latest" ? await findLatest(runFolder) : resumeFrom;
  if (path === undefined) {
    if (resumeFrom === undefined) return { state: INITIAL_STATE };
    throw new CliError(
      EXIT.checkpoint,
      `Cannot resume in "${runFolder}": there must be a checkpoint in it, got none; begin without --resume-from-checkpoint`,
    );
  }
  const { files, isAdapter } = await openCheckpoint(path);
  const record = await withPath(path, () => openTrainerRecord(files));
  const { state, run, maxSteps, tuning } = await failingAs(EXIT.checkpoint, () =>
    readTrainer(record, path),
  );
  const before = info?.settings ?? run;
  for (const earlier of [before, run]) {
    const difference = force ? undefined : firstDifference(earlier, settingsToJson(settings));
    if (difference === undefined) continue;
    throw new CliError(
      EXIT.usage,
      `Cannot go on with "${path}": ${difference}; use another folder, --overwrite to begin anew, or --force to go on all the same`,
    );
  }
  const checkpoint = await openParts({ path, files, isAdapter }, settings);
  const isSameLength = JSON.stringify(run["length"]) === JSON.stringify(settings.length);
  return { state, checkpoint, tuning, ...(isSameLength && { maxSteps }) };
}

/** Opens what is to be trained further, and checks that it is the same, even with --force. */
async function openParts(
  { path, files, isAdapter }: Pick<RunCheckpoint, "path" | "files"> & { isAdapter: boolean },
  settings: RunSettings,
): Promise<RunCheckpoint> {
  const wantsAdapter = settings.pretrained?.lora !== undefined;
  if (isAdapter !== wantsAdapter) {
    const [must, got] = wantsAdapter ? ["an adapter", "a model"] : ["a model", "an adapter"];
    throw new CliError(
      EXIT.checkpoint,
      `Cannot resume from "${path}": it must hold ${must}, got ${got}`,
    );
  }
  return withPath(path, async () => {
    const model = isAdapter ? undefined : await openFolder(files);
    if (model !== undefined) checkModel(model, settings, path);
    const run = await openRun(files, trainedShapes(settings));
    return { path, files, run, ...(model !== undefined && { model }) };
  });
}

/**
 * Makes the folder ready for a run that is about to begin: what an earlier run left is removed
 * with `overwrite`, and else set aside as far as it lies behind the step to go on from.
 *
 * Call this when nothing else can keep the run from beginning.
 *
 * @throws {CliError} With exit code 1 if the system does not allow it.
 */
export async function clearTheWay(
  { runFolder, overwrite }: Pick<StartRequest, "runFolder" | "overwrite">,
  { state }: Start,
): Promise<void> {
  if (overwrite) {
    await clearRun(runFolder, await listCheckpoints(runFolder));
    return;
  }
  for (const path of await setAsideAfter(runFolder, state.step)) {
    process.stderr.write(`Set aside a checkpoint behind step ${state.step}: "${path}"\n`);
  }
}

/** The latest checkpoint that is whole; damaged ones are told of and passed over. */
async function findLatest(runFolder: string): Promise<string | undefined> {
  const latest = await latestCheckpoint(runFolder);
  for (const reason of latest?.skipped ?? []) {
    process.stderr.write(`Passing over a damaged checkpoint: ${reason}\n`);
  }
  return latest?.path;
}

/** What a checkpoint's trainer keeps, as the rest of the program wants it. */
export function trainerToJson(
  state: TrainerState,
  {
    settings,
    maxSteps,
    base,
    tuning,
  }: {
    readonly settings: RunSettings;
    readonly maxSteps: number;
    /** How kernels are run. */
    readonly tuning?: TuningRecord;
    /** The model that adapters stand on, which the checkpoint does not hold. */
    readonly base?: BaseRecord;
  },
): JsonObject {
  const { step, numBatches, best, sinceBest, lossScale } = state;
  const scaled = lossScale === undefined ? {} : { lossScale: { ...lossScale } };
  return {
    trainer: {
      step,
      numBatches,
      sinceBest,
      best: best === undefined ? null : { ...best },
      ...scaled,
    },
    maxSteps,
    settings: settingsToJson(settings),
    ...(tuning !== undefined && { tuning: tuningRecordToJson(tuning) }),
    ...(base !== undefined && { base: { path: base.path, fingerprint: base.fingerprint } }),
  };
}

function readTrainer(
  trainer: TrainerRecord,
  path: string,
): Required<Pick<Start, "state" | "maxSteps">> & Pick<Start, "tuning"> & { run: JsonObject } {
  const settings = trainer.state["settings"];
  if (!isJsonObject(settings)) {
    throw new SyntaxError(
      `Cannot resume from "${path}": it must hold the state of a run beside the model, got none`,
    );
  }
  const fields = new Fields(trainer.state, path);
  const counts = fields.object("trainer");
  const best = counts.raw("best");
  const scaled = counts.raw("lossScale");
  const state: TrainerState = {
    step: trainer.step,
    numBatches: counts.number("numBatches"),
    sinceBest: counts.number("sinceBest"),
    ...(isJsonObject(best) && {
      best: {
        step: new Fields(best, path).number("step"),
        loss: new Fields(best, path).number("loss"),
      },
    }),
    ...(isJsonObject(scaled) && {
      lossScale: {
        scale: new Fields(scaled, path).number("scale"),
        numFinite: new Fields(scaled, path).number("numFinite"),
        numSkipped: new Fields(scaled, path).number("numSkipped"),
      },
    }),
  };
  const tuning = tuningRecordOf(trainer.state["tuning"], path);
  return { state, run: settings, maxSteps: fields.size("maxSteps"), tuning };
}

/** Weights must fit the model they are put into. */
function checkModel({ config }: StoredModel, { model }: RunSettings, path: string): void {
  const ignored = { dropout: 0 };
  const difference = firstDifference(
    { ...config, ...ignored } as JsonObject,
    { ...model, ...ignored } as JsonObject,
  );
  if (difference === undefined) return;
  throw new CliError(
    EXIT.checkpoint,
    `Cannot resume from "${path}": it must be of the same model, got another: ${difference}`,
  );
}
