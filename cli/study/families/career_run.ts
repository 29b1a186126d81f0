import { join } from "node:path";
import type { Gpu } from "../../../engine/gpu.ts";
import { CareerModel } from "../../../model/career/career_model.ts";
import { careerFiles, readCareerModel } from "../../../model/career/checkpoint.ts";
import type { CareerBatch, PersonYearBatches } from "../../../model/career/pack.ts";
import type { CareerParts } from "../../../model/career/transfer.ts";
import { Fields } from "../../../model/checkpoint/fields.ts";
import { openRun, type StoredRun } from "../../../model/checkpoint/run_state.ts";
import { isJsonObject, type JsonObject } from "../../../model/checkpoint/strict_json.ts";
import {
  INITIAL_STATE,
  type Trainer,
  type TrainerEvent,
  type TrainerOptions,
  type TrainerState,
} from "../../../model/train/trainer.ts";
import {
  checkpointName,
  latestCheckpoint,
  pruneCheckpoints,
  saveCheckpoint,
} from "../../platform/checkpoints.ts";
import { CliError, EXIT } from "../../platform/errors.ts";
import { folderFiles, withPath } from "../../platform/file_source.ts";
import { formatDuration } from "../../run/progress.ts";
import { restoreMoments } from "../../run/run_checkpoints.ts";
import type { FitReport, FitTask } from "../family.ts";
import type { CareerSpec } from "./career_spec.ts";

/** Milliseconds after which an unfinished epoch is saved. */
const SAVE_INTERVAL_MS = 120_000;

/** A point of the learning curve. */
type Curve = NonNullable<FitReport["curve"]>;

/** Data and course of a fit. */
export interface CareerTraining {
  readonly batches: PersonYearBatches;
  readonly valid: () => Iterable<CareerBatch>;
  /** Person-years to validate on, and to learn from. */
  readonly numValid: number;
  readonly numTrain: number;
  readonly options: TrainerOptions & { readonly evalEvery: number };
  readonly task: Pick<FitTask<CareerSpec>, "name" | "progress" | "signal">;
}

/** A fit in a folder of checkpoints, from the latest of which it goes on with the same bits. */
export class CareerRun {
  readonly model: CareerModel;
  readonly #gpu: Gpu;
  readonly #folder: string;
  readonly #stored: StoredRun | undefined;
  #curve: Curve;
  #lastSave = performance.now();

  private constructor(
    gpu: Gpu,
    folder: string,
    from: { readonly model: CareerModel; readonly stored?: StoredRun },
  ) {
    this.model = from.model;
    this.#gpu = gpu;
    this.#folder = folder;
    this.#stored = from.stored;
    this.#curve = curveOf(from.stored?.log ?? []);
  }

  /**
   * Opens the latest whole checkpoint, or begins.
   *
   * @param gpu Where the model is to be.
   * @param folder Folder of the checkpoints; it need not exist.
   * @param begin What a new run begins with.
   * @throws {CliError} If there are checkpoints, but none is whole.
   */
  static async open(
    gpu: Gpu,
    folder: string,
    begin: () => Promise<ConstructorParameters<typeof CareerModel>[1]>,
  ): Promise<CareerRun> {
    const latest = await latestCheckpoint(folder);
    if (latest === undefined) {
      return new CareerRun(gpu, folder, { model: new CareerModel(gpu, await begin()) });
    }
    const files = folderFiles(latest.path);
    return withPath(latest.path, async () => {
      const model = new CareerModel(gpu, await readCareerModel(files));
      return new CareerRun(gpu, folder, { model, stored: await openRun(files, model.parameters) });
    });
  }

  /** Where the trainer goes on. */
  get state(): TrainerState {
    return this.#stored === undefined ? INITIAL_STATE : stateFrom(this.#stored);
  }

  /**
   * Trains to the end, and saves now and then.
   *
   * @returns The learning curve, and steps taken.
   * @throws {CliError} To try again, if the signal aborted; what it takes to go on is saved.
   */
  async train(
    trainer: Trainer<CareerBatch>,
    training: CareerTraining,
  ): Promise<{ readonly curve: Curve; readonly steps: number }> {
    const { batches, valid, numValid, options, task } = training;
    if (this.#stored !== undefined) await restoreMoments(this.#gpu, trainer, this.#stored);
    const tell = teller(training, this.model.numParameters, trainer.state);
    const isOver = trainer.state.sinceBest >= (options.patience ?? Infinity);
    const validation = numValid > 0 && { validation: { batches: valid, count: numValid } };
    const stream = batches.from(trainer.state.numBatches);
    const events = trainer.run(stream, { ...validation, signal: task.signal });
    for await (const event of isOver ? [] : events) {
      if (event.type === "validation") {
        const perplexity = Math.exp(event.loss);
        this.#curve = [...this.#curve, { step: event.step, perplexity }];
      }
      tell(event);
      if (this.#isTimeToSave(event, training)) await this.#save(trainer);
      if (event.type !== "end" || event.reason !== "interrupted") continue;
      await this.#save(trainer);
      throw new CliError(EXIT.retry, "Interrupted; the same command goes on from here");
    }
    task.progress.clear();
    trainer.step.destroy();
    return { curve: this.#curve, steps: trainer.state.step };
  }

  /** The model of the best validation; without any, as it is now. */
  async bestParts(trainer: Trainer<CareerBatch>): Promise<CareerParts> {
    const { best } = trainer.state;
    if (best === undefined) return this.#parts();
    const path = join(this.#folder, checkpointName(best.step));
    return withPath(path, () => readCareerModel(folderFiles(path)));
  }

  /** After a step only if no validation follows it, which belongs to the step's state. */
  #isTimeToSave(event: TrainerEvent, { options, numValid }: CareerTraining): boolean {
    if (event.type === "validation" && event.isBest) return true;
    const isDue = performance.now() - this.#lastSave > SAVE_INTERVAL_MS;
    if (event.type === "validation") return isDue;
    if (event.type !== "step") return false;
    const isLast = event.step === options.maxSteps;
    const isValidated = numValid > 0 && (event.step % options.evalEvery === 0 || isLast);
    return isDue && !isValidated;
  }

  async #save(trainer: Trainer<CareerBatch>): Promise<void> {
    const { step, best } = trainer.state;
    const { moments } = trainer.step;
    const files = careerFiles(await this.#parts(), {
      step,
      ...(best && { best: { metric: best.loss, checkpoint: checkpointName(best.step) } }),
      log: this.#curve.map((point) => ({ ...point })),
      state: stateToJson(trainer.state),
      shapes: this.model.parameters,
      moment: (label, moment) => this.#gpu.read(moments.get(label)![moment]),
    });
    const path = await saveCheckpoint(this.#folder, checkpointName(step), files);
    await pruneCheckpoints(this.#folder, 1, path);
    this.#lastSave = performance.now();
  }

  async #parts(): Promise<CareerParts> {
    const { config, vocabulary, parameters } = this.model;
    const values = new Map<string, Float32Array<ArrayBuffer>>();
    for (const parameter of parameters) {
      values.set(parameter.label, await this.#gpu.read(parameter));
    }
    return { config, vocabulary, values };
  }
}

/** Tells of events: loss, rate, validations, time left. */
function teller(
  { options, numTrain, task }: CareerTraining,
  numParameters: number,
  start: TrainerState,
): (event: TrainerEvent) => void {
  const { name, progress } = task;
  const begin = performance.now();
  const size = `${numParameters.toLocaleString("en")} weights on ${numTrain.toLocaleString("en")} person-years`;
  progress.line(
    `${name}: ${start.step === 0 ? "fitting" : `going on at step ${start.step} with`} ${size}`,
  );
  let perplexity = start.best === undefined ? "" : figure(start.best.loss);
  return (event) => {
    if (event.type === "validation") {
      perplexity = figure(event.loss);
      const note = event.isBest ? "the best so far" : "no better";
      progress.update(() => `${name}: step ${event.step} · perplexity ${perplexity}, ${note}`);
    }
    if (event.type === "end") progress.line(`${name}: step ${event.step}, ${event.reason}`);
    if (event.type !== "step") return;
    progress.update(() => {
      const perStep = (performance.now() - begin) / (event.step - start.step);
      const rate = Math.round((1000 * event.numTokens) / event.ms).toLocaleString("en");
      const held = perplexity === "" ? "" : ` · perplexity ${perplexity}`;
      const left = formatDuration(perStep * (options.maxSteps - event.step));
      return `${name}: step ${event.step}/${options.maxSteps} · loss ${event.loss.toFixed(3)} · ${rate} person-years/s${held} · at most ${left} left`;
    });
  };
}

function figure(loss: number): string {
  return Math.exp(loss).toFixed(3);
}

function stateToJson({ numBatches, sinceBest, best }: TrainerState): JsonObject {
  return { numBatches, sinceBest, best: best === undefined ? null : { ...best } };
}

function stateFrom({ step, state }: StoredRun): TrainerState {
  const file = "trainer_state.json";
  const fields = new Fields(state, file);
  const best = fields.raw("best");
  return {
    step,
    numBatches: fields.number("numBatches"),
    sinceBest: fields.number("sinceBest"),
    ...(isJsonObject(best) && {
      best: {
        step: new Fields(best, file).number("step"),
        loss: new Fields(best, file).number("loss"),
      },
    }),
  };
}

function curveOf(log: readonly JsonObject[]): Curve {
  return log.map((point) => {
    const fields = new Fields(point, "trainer_state.json");
    return { step: fields.number("step"), perplexity: fields.number("perplexity") };
  });
}
