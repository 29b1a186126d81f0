import { readFile, rm, stat } from "node:fs/promises";
import type { Gpu } from "../../engine/gpu.ts";
import {
  isSameDevice,
  type TuningDeviceIdentity,
  tuningKeyOf,
} from "../../engine/tuning/device_identity.ts";
import { loadTuning, saveTuning, type TuningStore } from "../../engine/tuning/store.ts";
import {
  parseTuning,
  type StoredTuning,
  storedChoice,
  TunedChoices,
} from "../../engine/tuning/stored_choices.ts";
import { type PlanTimer, tune, type TuningResult } from "../../engine/tuning/tune.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { openModelPath } from "../platform/model_folder.ts";
import { FileTuningStore, FolderTuningStore } from "../platform/tuning_store.ts";
import type { Kernels } from "./choices.ts";
import { type DeviceChoice, withDevice } from "./device.ts";
import { formatDuration, type Progress } from "./progress.ts";
import { storeOf } from "./tuning.ts";
import { BUILT_IN_SIZES } from "./built_in_sizes.ts";
import { type CountedQuestion, questionsOf, type TuningSizes } from "./tuning_questions.ts";

/** What `tenure tune` is asked to do. */
export interface TuneRequest extends Omit<TuningSizes, "config" | "seqLen"> {
  /** Tokens of a row. @default {512, or as many as the model takes} */
  readonly seqLen?: number;
  /** Whose shapes: a model by its path, or one of {@linkcode BUILT_IN_SIZES}. */
  readonly model: { readonly path: string } | { readonly size: string };
  /** Tunables to measure, by name; all of them if absent. */
  readonly only?: readonly string[];
  /** Measures again what was measured before. */
  readonly again?: boolean;
  readonly budgetMs?: number;
  readonly rounds?: number;
  readonly kernels: Kernels;
  /** How the device is opened; `tuning` says where choices go, `"off"` for nowhere. */
  readonly device: DeviceChoice;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** Measures; a test may decide itself how long things take. */
  readonly timer?: PlanTimer;
}

/** What would be measured. */
export interface PlannedQuestion extends CountedQuestion {
  readonly numCandidates: number;
}

/** What was measured. */
export interface TuneOutcome {
  readonly device: TuningDeviceIdentity;
  readonly results: readonly (TuningResult & { readonly count: number })[];
  /** Keys that keep their defaults, and why. */
  readonly skipped: ReadonlyMap<string, string>;
  /** Keys that were measured earlier, with the same kernels. */
  readonly known: readonly string[];
  /** Whether it was stopped before its end. */
  readonly isStopped: boolean;
}

/** The store, and what a device has in it. */
interface Shelf {
  readonly store: TuningStore | undefined;
  readonly choices: TunedChoices;
}

/**
 * Says what {@linkcode tuneKernels} would measure.
 *
 * @throws {CliError} As it does.
 */
export async function planTuning(request: TuneRequest): Promise<PlannedQuestion[]> {
  return onDevice(request, async (gpu, { questions }) =>
    questions.map((counted) => ({ ...counted, numCandidates: candidatesOf(gpu, counted) })),
  );
}

/**
 * Measures the kernels of a model's training step, prefill and decoding, and keeps what is fastest
 * for all commands on this device. Each result is kept as it comes, so that nothing is lost when
 * the tuning is stopped; what was measured earlier is not measured again.
 *
 * @throws {CliError} With exit code 5 if the model is not there, exit code 4 if the device cannot
 *   do what is asked.
 */
export async function tuneKernels(request: TuneRequest): Promise<TuneOutcome> {
  return onDevice(request, async (gpu, { questions, known, identity, store }) => {
    const { progress, signal } = request;
    if (store !== undefined && questions.length > 0) await checkShelf(store, identity);
    const counts = new Map(questions.map(({ key, count }) => [key, count]));
    const results: (TuningResult & { readonly count: number })[] = [];
    const keep = async (result: TuningResult) => {
      results.push({ ...result, count: counts.get(result.key)! });
      if (store === undefined) return;
      const choices = { [result.key]: storedChoice(result, new Date()) };
      await saveTuning(store, { device: identity, choices }, (line) => progress.line(line));
    };
    let skipped: ReadonlyMap<string, string> = new Map();
    try {
      ({ skipped } = await tune(
        gpu,
        questions.map(({ question }) => question),
        { ...optionsOf(request), onResult: keep },
      ));
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    } finally {
      progress.clear();
    }
    const isStopped = signal?.aborted === true;
    return { device: identity, results, skipped, known, isStopped };
  });
}

function optionsOf({ rounds, budgetMs, timer, signal, progress }: TuneRequest) {
  return {
    ...(rounds !== undefined && { rounds }),
    ...(budgetMs !== undefined && { budgetMs }),
    ...(timer !== undefined && { timer }),
    ...(signal !== undefined && { signal }),
    onProgress: ({ done, total, key, leftMs }: Parameters<ProgressListener>[0]) =>
      progress.update(
        () => `${done}/${total} measurements · ${formatDuration(leftMs)} left · ${key}`,
      ),
  };
}

type ProgressListener = NonNullable<NonNullable<Parameters<typeof tune>[2]>["onProgress"]>;

/** Tokens of a row where nobody says how many. */
const USUAL_LENGTH = 512;

/** What is asked on a device, and what is known of it already. */
interface Asked {
  readonly identity: TuningDeviceIdentity;
  readonly store: TuningStore | undefined;
  readonly questions: readonly CountedQuestion[];
  readonly known: readonly string[];
}

async function onDevice<T>(
  request: TuneRequest,
  work: (gpu: Gpu, asked: Asked) => Promise<T>,
): Promise<T> {
  const { model, device, kernels, only, again = false, ...sizes } = request;
  const config =
    "size" in model ? BUILT_IN_SIZES[model.size]! : (await openModelPath(model.path)).config;
  const seqLen = lengthFor(config.maxSeqLen, sizes.seqLen);
  const run = async (gpu: Gpu, { identity, openPaperGpu }: DeviceOf) => {
    const all = await failingAs(EXIT.device, () =>
      questionsOf(openPaperGpu, { ...sizes, config, seqLen }),
    );
    checkNames(only, all);
    const wanted = all.filter(({ question: { tunable } }) => only?.includes(tunable.name) ?? true);
    const { store, choices } = await shelfOf(device.tuning, identity, request.progress);
    const isKnown = ({ question }: CountedQuestion) =>
      !again && choices.consult(gpu, question) !== undefined;
    const known = wanted.filter(isKnown).map(({ key }) => key);
    const questions = wanted.filter(({ key }) => !known.includes(key));
    return work(gpu, { identity, store, questions, known });
  };
  return withDevice(kernels, run, { ...device, tuning: "off" });
}

/** @throws {CliError} With exit code 2 if the model never sees so many tokens. */
function lengthFor(most: number, length = Math.min(USUAL_LENGTH, most)): number {
  if (length <= most) return length;
  throw new CliError(
    EXIT.usage,
    `Cannot tune: --length must be at most ${most} for this model, got ${length}`,
  );
}

type DeviceOf = Parameters<Parameters<typeof withDevice>[1]>[1];

/** @throws {CliError} With exit code 2 if a name is of no kernel that the model asks about. */
function checkNames(only: readonly string[] = [], all: readonly CountedQuestion[]): void {
  const names = [...new Set(all.map(({ question }) => question.tunable.name))];
  const unknown = only.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new CliError(
    EXIT.usage,
    `Cannot tune: --only must name kernels that this model asks for, ${names.join(", ")}, got "${unknown}"`,
  );
}

/**
 * Sees that results can be kept, before minutes are spent on them.
 *
 * @throws {CliError} If nothing can be written there, or, with exit code 2, if it is a file of
 *   something else.
 */
async function checkShelf(store: TuningStore, identity: TuningDeviceIdentity): Promise<void> {
  await store.exclusively?.(tuningKeyOf(identity), async () => {
    if (!(store instanceof FileTuningStore)) return; // a damaged file of our own is replaced
    const text = await store.read();
    if (text === undefined) return;
    const { device } = parseNamed(text, store.path, "add to");
    if (isSameDevice(device, identity)) return;
    throw new CliError(
      EXIT.usage,
      `Cannot add to "${store.path}": it must hold choices of this device, got those of another, or with other switches; name another file`,
    );
  });
}

/** Reads a file that somebody named, who may have named the wrong one. */
function parseNamed(text: string, path: string, verb: string): StoredTuning {
  try {
    return parseTuning(text, path);
  } catch (error) {
    throw new CliError(
      EXIT.usage,
      `Cannot ${verb} "${path}": it must be a file that tenure tune wrote, got another; nothing was changed`,
      { cause: error },
    );
  }
}

async function shelfOf(
  tuning = "auto",
  identity: TuningDeviceIdentity,
  progress: Progress,
): Promise<Shelf> {
  if (tuning === "off") return { store: undefined, choices: new TunedChoices({ choices: {} }) };
  const store = storeOf(tuning);
  const loaded = await loadTuning(store, identity, (line) => progress.line(line));
  const choices = isSameDevice(loaded.device, identity) ? loaded.choices : {};
  return { store, choices: new TunedChoices({ choices }) };
}

function candidatesOf(gpu: Gpu, { question }: CountedQuestion): number {
  const { tunable, problem } = question;
  return tunable.candidates(gpu, problem as never).length;
}

/** A file of choices. */
export interface ListedTuning {
  readonly path: string;
  readonly tuning: StoredTuning;
}

/** The files of choices, and of damaged ones what is wrong. */
export async function listTuning(
  tuning = "auto",
): Promise<{ readonly files: readonly ListedTuning[]; readonly damaged: readonly string[] }> {
  const files: ListedTuning[] = [];
  const damaged: string[] = [];
  for (const path of await pathsOf(tuning)) {
    try {
      files.push({ path, tuning: parseTuning(await readFile(path, "utf8"), path) });
    } catch (error) {
      damaged.push((error as Error).message);
    }
  }
  return { files, damaged };
}

/**
 * Deletes what was measured; returns the files that were.
 *
 * @throws {CliError} With exit code 2 if a file is named that is not there, or is something else.
 */
export async function clearTuning(tuning = "auto"): Promise<readonly string[]> {
  const paths = await pathsOf(tuning);
  for (const path of paths) {
    if (tuning !== "auto") parseNamed(await readFile(path, "utf8"), path, "delete");
    await rm(path, { force: true });
  }
  return paths;
}

async function pathsOf(tuning: string): Promise<readonly string[]> {
  if (tuning === "auto") return new FolderTuningStore().list();
  if ((await stat(tuning).catch(() => undefined))?.isFile() === true) return [tuning];
  const remedy = tuning === "off" ? "; leave --tuning out for what is kept on this machine" : "";
  throw new CliError(
    EXIT.usage,
    `Cannot find what was measured: "${tuning}" must be a file, got none${remedy}`,
  );
}
