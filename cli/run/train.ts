import type { Gpu } from "../../engine/gpu.ts";
import { encodeCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { type EndReason, Trainer, type TrainerEvent } from "../../model/train/trainer.ts";
import { checkConfig, type ModelConfig } from "../../model/transformer/config.ts";
import { Transformer } from "../../model/transformer/transformer.ts";
import { checkpointName, pruneCheckpoints, saveCheckpoint } from "../platform/checkpoints.ts";
import { EXIT, failingAs } from "../platform/errors.ts";
import { packageVersion } from "../platform/version.ts";
import { batchesFrom, epochsOf, stepsOfEpochs } from "./batches.ts";
import { withDevice } from "./device.ts";
import {
  contextFor,
  type Corpus,
  type Learning,
  packCorpus,
  readCorpus,
  shortRowsNote,
} from "./learning.ts";
import { measure, stepsWithin } from "./measure.ts";
import { describeRun } from "./plan_report.ts";
import type { Progress } from "./progress.ts";
import { clearTheWay, findStart, type Start, trainerToJson } from "./resume.ts";
import { captureCheckpoint, restoreMoments } from "./run_checkpoints.ts";
import { makeRunFolder, writeRunInfo } from "./run_folder.ts";
import { RunLog } from "./run_log.ts";
import { type RunSettings, settingsToJson } from "./settings.ts";
import { TrainingProgress } from "./training_progress.ts";
import { trainerOptions } from "./trainer_options.ts";

/** What `tenure train` is asked to do. */
export interface TrainRequest {
  readonly dataFolder: string;
  readonly runFolder: string;
  /** All but what the data decide. */
  readonly settings: Omit<RunSettings, "model" | "wording" | "data"> & {
    readonly model: Omit<ModelConfig, "vocabSize" | "maxSeqLen">;
  };
  /** Steps between checkpoints besides those of the best validations; 0 for none. */
  readonly saveSteps: number;
  /** Checkpoints kept; the best and the latest always are. */
  readonly saveTotalLimit: number;
  readonly resumeFrom?: string;
  readonly force?: boolean;
  readonly overwrite?: boolean;
  readonly progress: Progress;
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
 * Trains a model on a prepared folder, or goes on with a run that was interrupted.
 *
 * Checkpoints are taken at the best validations, every `saveSteps` steps, at the end and at an
 * interruption; each holds all that decides what follows, so that a resumed run has the bits of
 * one that was never interrupted.
 *
 * @throws {CliError} With the exit code of what is wrong: 2 settings, 3 data, 4 device, 5 checkpoint.
 */
export async function train(request: TrainRequest): Promise<TrainOutcome> {
  const begun = performance.now();
  const { corpus, settings, learning } = await open(request);
  const { runFolder, resumeFrom, force = false, overwrite = false } = request;
  const start = await findStart({
    runFolder,
    settings,
    force,
    overwrite,
    ...(resumeFrom !== undefined && { resumeFrom }),
  });
  return withDevice(settings.kernels, async (gpu) => {
    const model = await createModel(gpu, settings, start);
    const maxSteps =
      start.maxSteps ?? (await chooseMaxSteps({ gpu, model, settings, learning, begun }));
    await clearTheWay({ runFolder, overwrite }, start);
    await makeRunFolder(runFolder);
    const info = { settings: settingsToJson(settings), maxSteps, dataFolder: request.dataFolder };
    await writeRunInfo(runFolder, info);
    const log = await RunLog.open(runFolder, start.state.step);
    try {
      return await new RunPart(request, {
        gpu,
        model,
        settings,
        learning,
        corpus,
        maxSteps,
        log,
      }).run(start);
    } finally {
      await log.close();
      request.progress.clear();
    }
  });
}

/** Records the plans of a run and says what they would take, without running them. */
export async function dryRun(request: TrainRequest): Promise<string> {
  const { settings, learning } = await open(request);
  return withDevice(settings.kernels, async (gpu) => {
    const model = await createModel(gpu, settings);
    return describeRun(gpu, model, { settings, learning });
  });
}

async function open(
  request: TrainRequest,
): Promise<{ corpus: Corpus; settings: RunSettings; learning: Learning }> {
  const corpus = await readCorpus(request.dataFolder);
  const { wording, tokenizer } = corpus.prepared;
  const { batch, model, seed } = request.settings;
  const maxSeqLen = contextFor(corpus, batch);
  const settings: RunSettings = {
    ...request.settings,
    model: { ...model, vocabSize: tokenizer.vocabSize, maxSeqLen },
    wording,
    data: corpus.sums,
  };
  await failingAs(EXIT.usage, () => checkConfig(settings.model));
  const learning = await packCorpus(corpus, { batch, seed });
  const note = shortRowsNote(corpus, batch);
  if (note !== undefined) request.progress.line(note);
  return { corpus, settings, learning };
}

async function createModel(gpu: Gpu, settings: RunSettings, start?: Start): Promise<Transformer> {
  const values = start?.checkpoint?.weights;
  // What can go wrong here is that the device has too little memory.
  return failingAs(EXIT.device, () =>
    Transformer.create(gpu, settings.model, {
      seed: settings.seed,
      ...(values !== undefined && { values }),
    }),
  );
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
  readonly maxSteps: number;
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
    if (start.checkpoint !== undefined) restoreMoments(gpu, trainer, start.checkpoint);
    const report = new TrainingProgress(progress, {
      settings,
      maxSteps,
      evalEvery,
      start: start.state,
    });
    report.begin(model.numParameters);
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
    const { gpu, model, settings, learning, corpus, maxSteps } = this.#materials;
    const { numBatches } = trainer.state;
    const checkpoint = await captureCheckpoint(
      gpu,
      { model, trainer },
      {
        prepared: corpus.prepared,
        epoch: epochsOf(learning.train, numBatches),
        state: trainerToJson(trainer.state, settings, maxSteps),
      },
    );
    const files = await encodeCheckpoint(checkpoint);
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
