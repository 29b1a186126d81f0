import { batchesFrom } from "../../data/epochs.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { configFromJson, configToJson } from "../../model/checkpoint/config_json.ts";
import { adaptedModules } from "../../model/lora/config.ts";
import { type EndReason, Trainer, type TrainerEvent } from "../../model/train/trainer.ts";
import { checkConfig, type ModelConfig } from "../../model/transformer/config.ts";
import type { Transformer } from "../../model/transformer/transformer.ts";
import { checkpointName, pruneCheckpoints, saveCheckpoint } from "../platform/checkpoints.ts";
import { EXIT, failingAs } from "../platform/errors.ts";
import { packageVersion } from "../platform/version.ts";
import { type BaseModel, checkApartFromRun, openBaseModel } from "./base_model.ts";
import { epochsOf, stepsOfEpochs } from "./batches.ts";
import { type DeviceChoice, type DeviceInfo, withDevice } from "./device.ts";
import {
  checkContext,
  contextFor,
  type Corpus,
  type Learning,
  packCorpus,
  readCorpus,
  shortRowsNote,
} from "./learning.ts";
import { measure, stepsWithin } from "./measure.ts";
import { checkSizes, type MemoryPlan, planMemory, savingsOf } from "./memory_plan.ts";
import { describeMemory, describeSteps } from "./plan_report.ts";
import type { Progress } from "./progress.ts";
import { clearTheWay, findStart, type Start, trainerToJson } from "./resume.ts";
import { captureCheckpoint, restoreMoments } from "./run_checkpoints.ts";
import { makeRunFolder, writeRunInfo } from "./run_folder.ts";
import { RunLog } from "./run_log.ts";
import { createModel } from "./run_model.ts";
import {
  type BatchSettings,
  type PretrainedSettings,
  type RunSettings,
  settingsToJson,
} from "./settings.ts";
import type { ModelSizes } from "./sizes.ts";
import { trainerOptions } from "./trainer_options.ts";
import { TrainingProgress } from "./training_progress.ts";
import { choicesToGoOnWith, followedChoices, type TuningRecord } from "./tuning.ts";

/** Somebody's model to begin with, and how to change it. */
export interface PretrainedRequest extends Omit<PretrainedSettings, "fingerprint"> {
  /** A path, a URL, or a name in the cache. */
  readonly path: string;
  /** Share of activations dropped in training, in place of the model's own. */
  readonly dropout?: number;
}

/** What `tenure train` is asked to do. */
export interface TrainRequest {
  readonly dataFolder: string;
  readonly runFolder: string;
  /** All but what the data decide. */
  readonly settings: Omit<RunSettings, "model" | "wording" | "data" | "pretrained"> & {
    /** Sizes of a new model; somebody's has its own. */
    readonly model: ModelSizes;
  };
  readonly pretrained?: PretrainedRequest;
  /** Steps between checkpoints besides those of the best validations; 0 for none. */
  readonly saveSteps: number;
  /** Checkpoints kept; the best and the latest always are. */
  readonly saveTotalLimit: number;
  readonly resumeFrom?: string;
  readonly force?: boolean;
  readonly overwrite?: boolean;
  readonly progress: Progress;
  /** Memory that the run may take on the device, in GiB; by default as far as known. */
  readonly maxMemoryGiB?: number;
  /** How the device is opened. */
  readonly device?: DeviceChoice;
  /** Stops after the step in progress. */
  readonly signal?: AbortSignal;
  /** Told of every event, before the next step. */
  readonly onEvent?: (event: TrainerEvent) => void;
}

/** How a run, or this part of it, ended. */
export interface TrainOutcome {
  readonly reason: EndReason;
  readonly step: number;
  readonly maxSteps: number;
  readonly best?: { readonly step: number; readonly loss: number };
}

/** Validations of a run whose `evalSteps` is 0. */
const NUM_VALIDATIONS = 10;

/**
 * Trains a model on a prepared folder, or goes on with a run that was interrupted: a new model,
 * or somebody's, whole or by adapters. What it takes in memory is told first, and refused if the
 * device has less.
 *
 * Checkpoints are taken at the best validations, every `saveSteps` steps, at the end and at an
 * interruption; each holds all that decides what follows, so that a resumed run has the bits of
 * one that was never interrupted.
 *
 * @throws {CliError} With the exit code of what is wrong: 2 settings, 3 data, 4 device,
 *   5 checkpoint or model.
 */
export async function train(request: TrainRequest): Promise<TrainOutcome> {
  const begun = performance.now();
  const opened = await open(request);
  const { corpus, settings, learning, base } = opened;
  const { runFolder, resumeFrom, force = false, overwrite = false, progress } = request;
  if (base !== undefined) await checkApartFromRun(base, { runFolder, overwrite });
  const start = await findStart({
    runFolder,
    settings,
    force,
    overwrite,
    ...(resumeFrom !== undefined && { resumeFrom }),
  });
  return onDevice(request, opened, async (gpu, info) => {
    const { identity } = info;
    const earlier = choicesToGoOnWith(start.tuning, identity, (line) => progress.line(line));
    if (earlier !== undefined) gpu.choices = earlier;
    const { memory, plan } = await planRun(gpu, opened, info);
    // All that a step asks was asked on paper; what is asked later still has its default.
    const tuning = { device: identity, choices: followedChoices(gpu) };
    for (const line of memory) progress.line(line);
    await failingAs(EXIT.device, () => gpu.checkFits(plan.peak, "what this run takes"));
    const model = await createModel(gpu, { settings, start, base });
    const maxSteps =
      start.maxSteps ?? (await chooseMaxSteps({ gpu, model, settings, learning, begun }));
    await clearTheWay({ runFolder, overwrite }, start);
    await makeRunFolder(runFolder);
    const { dataFolder } = request;
    const run = { settings: settingsToJson(settings), maxSteps, dataFolder, tuning };
    await writeRunInfo(runFolder, run);
    const log = await RunLog.open(runFolder, start.state.step);
    try {
      const materials = { gpu, model, settings, learning, corpus, base, maxSteps, tuning, log };
      return await new RunPart(request, materials).run(start);
    } finally {
      await log.close();
      progress.clear();
    }
  });
}

/** Says what a run would take, and a step of it, without running or allocating anything. */
export async function dryRun(request: TrainRequest): Promise<string> {
  const opened = await open(request);
  return onDevice(request, opened, async (gpu, info) => {
    const { memory, plan } = await planRun(gpu, opened, info);
    return `${[...memory, ...describeSteps(plan, opened)].join("\n")}\n`;
  });
}

function onDevice<T>(
  { maxMemoryGiB, device }: TrainRequest,
  { settings }: Opened,
  work: (gpu: Gpu, info: DeviceInfo) => Promise<T>,
): Promise<T> {
  const memory = maxMemoryGiB === undefined ? {} : { maxMemoryGiB };
  return withDevice(settings.kernels, work, { ...memory, ...device });
}

/** Plans the memory of a run on paper, and says what it is. */
async function planRun(
  gpu: Gpu,
  { settings, learning }: Opened,
  { openPaperGpu }: DeviceInfo,
): Promise<{ plan: MemoryPlan; memory: string[] }> {
  const hasValidation = learning.validation !== undefined;
  return failingAs(EXIT.device, async () => {
    checkSizes(gpu, settings);
    const planOf = async (some: RunSettings) =>
      planMemory(await openPaperGpu(), some, { hasValidation });
    const plan = await planOf(settings);
    const savings = await savingsOf(settings, planOf);
    return { plan, memory: describeMemory(plan, savings) };
  });
}

/** What a run works with, before there is a device. */
interface Opened {
  readonly corpus: Corpus;
  readonly settings: RunSettings;
  readonly learning: Learning;
  /** Somebody's model that it begins with. */
  readonly base: BaseModel | undefined;
}

async function open(request: TrainRequest): Promise<Opened> {
  const { pretrained } = request;
  const { model: sizes, ...rest } = request.settings;
  const base = pretrained && (await openBaseModel(pretrained.path));
  const corpus = await readCorpus(request.dataFolder, base?.tokenizer);
  const { batch, seed } = request.settings;
  const common = { ...rest, wording: corpus.prepared.wording, data: corpus.sums };
  const settings: RunSettings =
    base === undefined || pretrained === undefined
      ? { ...common, model: ownModel(sizes, corpus, batch) }
      : {
          ...common,
          model: modelOf(base, pretrained.dropout),
          pretrained: settingsOf(base, pretrained),
        };
  await failingAs(EXIT.usage, () => checkSettings(settings));
  if (base !== undefined) checkContext(corpus, batch, settings.model.maxSeqLen);
  const learning = await packCorpus(corpus, { batch, seed });
  const note = shortRowsNote(corpus, batch);
  if (note !== undefined) request.progress.line(note);
  return { corpus, settings, learning, base };
}

function ownModel(sizes: ModelSizes, corpus: Corpus, batch: BatchSettings): ModelConfig {
  const { vocabSize } = corpus.tokenizer;
  return { ...sizes, vocabSize, maxSeqLen: contextFor(corpus, batch) };
}

/** Somebody's configuration as a checkpoint gives it back, with our dropout if one is asked for. */
function modelOf({ stored: { config } }: BaseModel, dropout: number | undefined): ModelConfig {
  const { config: kept } = configFromJson(configToJson(config), "config.json");
  return { ...kept, dropout: dropout ?? config.dropout };
}

function settingsOf(
  { fingerprint }: BaseModel,
  { lora, baseDtype }: PretrainedRequest,
): PretrainedSettings {
  return {
    fingerprint,
    ...(lora !== undefined && { lora }),
    ...(baseDtype !== undefined && { baseDtype }),
  };
}

function checkSettings({ model, pretrained }: RunSettings): void {
  checkConfig(model);
  if (pretrained?.lora !== undefined) adaptedModules(model, pretrained.lora);
}

async function chooseMaxSteps({
  gpu,
  model,
  settings,
  learning,
  begun,
}: {
  readonly gpu: Gpu;
  readonly model: Transformer;
  readonly settings: RunSettings;
  readonly learning: Learning;
  readonly begun: number;
}): Promise<number> {
  const { length, batch, validation } = settings;
  const { accumulation } = batch;
  if (length.unit === "steps") return length.count;
  if (length.unit === "epochs") {
    return stepsOfEpochs(learning.train, { epochs: length.count, accumulation });
  }
  const stream = batchesFrom(learning.train, 0);
  const batches = Array.from({ length: accumulation }, () => stream.next().value!);
  const times = await measure(gpu, model, {
    step: trainerOptions(settings, 1),
    batches,
    numValidationBatches: learning.validation?.numBatches ?? 0,
  });
  const available = length.count * 60_000 - (performance.now() - begun);
  const { evalSteps } = validation;
  return stepsWithin(available, times, { evalSteps, numValidations: NUM_VALIDATIONS });
}

/** Everything that a {@linkcode RunPart} works with. */
interface RunMaterials {
  readonly gpu: Gpu;
  readonly model: Transformer;
  readonly settings: RunSettings;
  readonly learning: Learning;
  readonly corpus: Corpus;
  readonly base: BaseModel | undefined;
  readonly maxSteps: number;
  readonly tuning: TuningRecord;
  readonly log: RunLog;
}

/** One process's part of a run. */
class RunPart {
  readonly #request: TrainRequest;
  readonly #materials: RunMaterials;

  constructor(request: TrainRequest, parts: RunMaterials) {
    this.#request = request;
    this.#materials = parts;
  }

  async run(start: Start): Promise<TrainOutcome> {
    const { gpu, model, settings, learning, maxSteps, log } = this.#materials;
    const { progress, signal, onEvent } = this.#request;
    const { validation } = learning;
    const evalEvery =
      settings.validation.evalSteps || Math.max(1, Math.ceil(maxSteps / NUM_VALIDATIONS));
    const options = { ...trainerOptions(settings, maxSteps), evalEvery };
    const trainer = await failingAs(
      EXIT.device,
      () => new Trainer(gpu, model, options, start.state),
    );
    if (start.checkpoint !== undefined) await restoreMoments(gpu, trainer, start.checkpoint.run);
    const report = new TrainingProgress(progress, {
      settings,
      maxSteps,
      evalEvery,
      start: start.state,
    });
    report.begin(model);
    await log.append({ type: "begin", step: start.state.step, tenure: packageVersion() });
    const patience = options.patience ?? Infinity;
    if (start.state.sinceBest >= patience) return this.#outcome(trainer, "no improvement");

    let saved = start.state.step;
    const save = async () => {
      await this.#save(trainer);
      saved = trainer.state.step;
    };
    let reason: EndReason = "all steps taken";
    const batches = batchesFrom(learning.train, start.state.numBatches);
    const held = { ...(validation && { validation }), ...(signal && { signal }) };
    for await (const event of trainer.run(batches, held)) {
      await log.append(event);
      report.tell(event);
      onEvent?.(event);
      if (event.type === "end") reason = event.reason;
      else if (this.#isTimeToSave(event, options)) await save();
    }
    if (saved !== trainer.state.step) await save();
    return this.#outcome(trainer, reason);
  }

  /** After a step only if no validation follows it, which belongs to the step's state. */
  #isTimeToSave(event: TrainerEvent, { evalEvery }: { readonly evalEvery: number }): boolean {
    if (event.type === "skip") return false; // nothing has moved since the step before
    const { saveSteps } = this.#request;
    const { maxSteps, learning } = this.#materials;
    const isDue = saveSteps > 0 && event.step % saveSteps === 0;
    if (event.type === "validation") return event.isBest || isDue;
    const isValidated = event.step % evalEvery === 0 || event.step === maxSteps;
    return isDue && !(isValidated && learning.validation !== undefined);
  }

  async #save(trainer: Trainer): Promise<void> {
    const { runFolder, saveTotalLimit: limit } = this.#request;
    const { learning, settings, maxSteps, tuning, base } = this.#materials;
    const { numBatches } = trainer.state;
    const kept = base !== undefined && settings.pretrained?.lora !== undefined && { base };
    const files = await captureCheckpoint(
      { ...this.#materials, trainer },
      {
        epoch: epochsOf(learning.train, numBatches),
        state: trainerToJson(trainer.state, { settings, maxSteps, tuning, ...kept }),
      },
    );
    const path = await saveCheckpoint(runFolder, checkpointName(trainer.state.step), files);
    await pruneCheckpoints(runFolder, limit, path);
  }

  #outcome(trainer: Trainer, reason: EndReason): TrainOutcome {
    const { step, best } = trainer.state;
    return {
      reason,
      step,
      maxSteps: this.#materials.maxSteps,
      ...(best !== undefined && { best }),
    };
  }
}
