import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import type { Trainable } from "./language_objective.ts";
import {
  hopelessness,
  initialLossScale,
  type LossScale,
  type LossScaleOptions,
  nextLossScale,
} from "./loss_scale.ts";
import { LossStep } from "./loss_step.ts";
import type { LabeledBatch } from "./objective.ts";
import { learningRateAt, type LearningRateOptions } from "./schedule.ts";
import { TrainingStep, type TrainingStepOptions } from "./training_step.ts";

/** Options of a {@linkcode Trainer}. */
export interface TrainerOptions extends TrainingStepOptions, LearningRateOptions {
  /** Batches whose gradients add up in one step. @default {1} */
  readonly accumulation?: number;
  /** Steps between validations; 0 for none. @default {0} */
  readonly evalEvery?: number;
  /** Validations without a new best after which the run ends. @default {Infinity} */
  readonly patience?: number;
  /** How the loss is scaled where `dtype` is f16. */
  readonly lossScale?: LossScaleOptions;
}

/** What a run must remember, besides weights and moments, to go on as if never interrupted. */
export interface TrainerState {
  /** Steps taken. */
  readonly step: number;
  /** Batches taken; the stream of batches must go on from here. */
  readonly numBatches: number;
  /** Step and loss of the best validation so far. */
  readonly best?: { readonly step: number; readonly loss: number };
  /** Validations since the best. */
  readonly sinceBest: number;
  /** Where a run in f16 is with its loss scale; none in f32. */
  readonly lossScale?: LossScale;
}

/** State of a run that has not begun. */
export const INITIAL_STATE: TrainerState = { step: 0, numBatches: 0, sinceBest: 0 };

/** What a {@linkcode Trainer} tells while it runs. */
export type TrainerEvent =
  | {
      readonly type: "step";
      readonly step: number;
      readonly loss: number;
      readonly gradNorm: number;
      readonly learningRate: number;
      /** Places of the step's batches, padding included, and the time it took. */
      readonly numTokens: number;
      readonly ms: number;
      /** Label of the last batch. */
      readonly batch: string;
    }
  | {
      /** Gradients overflowed in f16: nothing has moved, and the loss scale is halved. */
      readonly type: "skip";
      /** Steps taken so far: this is none of them. */
      readonly step: number;
      /** Of the next step. */
      readonly lossScale: number;
      readonly numTokens: number;
      readonly ms: number;
      /** Label of the last batch. */
      readonly batch: string;
    }
  | {
      readonly type: "validation";
      readonly step: number;
      readonly loss: number;
      readonly isBest: boolean;
      readonly ms: number;
    }
  | { readonly type: "end"; readonly step: number; readonly reason: EndReason };

/** Why a run ended. */
export type EndReason = "all steps taken" | "no improvement" | "interrupted" | "no more batches";

/** Held-out batches and what their summed loss is divided by. */
export interface Validation<Item extends LabeledBatch = Batch> {
  readonly batches: () => Iterable<Item> | AsyncIterable<Item>;
  /** Number of predictions, such as person-years; the loss is per prediction. */
  readonly count: number;
}

/**
 * A step's loss or gradient is NaN or infinite. Where the gradient is, the weights are those of the
 * last good step.
 */
export class NotFiniteError extends Error {
  override readonly name = "NotFiniteError";

  constructor(
    step: number,
    batches: readonly LabeledBatch[],
    {
      got = "NaN or infinity",
      remedy = "lower the learning rate",
    }: { readonly got?: string; readonly remedy?: string } = {},
  ) {
    const labels = batches.map(({ label }) => label).join("; ");
    super(
      `Cannot go on training: loss and gradients must be finite, got ${got} at step ${step} (${labels}); ${remedy}`,
    );
  }
}

/**
 * Trains a transformer, or any other objective, on a stream of batches.
 *
 * Runs as a generator: between two events nothing is in flight, so that whoever listens can save
 * weights, moments and {@linkcode Trainer.state} and later resume with the same bits.
 */
export class Trainer<Item extends LabeledBatch = Batch> {
  readonly step: TrainingStep<Item>;
  readonly #gpu: Gpu;
  readonly #model: Trainable<Item>;
  readonly #options: TrainerOptions;
  #state: TrainerState;

  /**
   * @param gpu The model's device.
   * @param model A transformer, or another objective; trained in place.
   * @param options Batch sizes, optimizer, course of the learning rate.
   * @param state Where an earlier run stopped; restore weights and moments too.
   * @throws {RangeError} If an option is out of range.
   * @throws {TypeError} If `dtype` is f16 and the device has no halves.
   */
  constructor(
    gpu: Gpu,
    model: Trainable<Item>,
    options: TrainerOptions,
    state: TrainerState = INITIAL_STATE,
  ) {
    this.#gpu = gpu;
    this.#model = model;
    this.#options = options;
    const isScaled = options.dtype === "f16" && state.lossScale === undefined;
    this.#state = isScaled ? { ...state, lossScale: initialLossScale(options.lossScale) } : state;
    this.step = new TrainingStep(gpu, model, options);
  }

  /** What to store between events. */
  get state(): TrainerState {
    return this.#state;
  }

  /**
   * Trains until all steps are taken, the batches end, validation stops improving or `signal`
   * aborts.
   *
   * @param batches Training batches, from `state.numBatches` on.
   * @param options Held-out batches, and a signal to stop after the step in progress.
   * @throws {NotFiniteError} At the first step whose loss or gradient is not finite; in f16, where
   *   a step whose gradients are not is skipped, when skipping has not helped.
   */
  async *run(
    batches: Iterable<Item> | AsyncIterable<Item>,
    {
      validation,
      signal,
    }: { readonly validation?: Validation<Item>; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<TrainerEvent> {
    const { maxSteps, evalEvery = 0, accumulation = 1, patience = Infinity } = this.#options;
    await this.step.compile();
    const lossStep =
      validation === undefined
        ? undefined
        : await new LossStep(this.#gpu, this.#model, this.#options).compile();
    const stream = groups(batches, accumulation);
    let reason: EndReason = "all steps taken";
    try {
      while (this.#state.step < maxSteps) {
        if (signal?.aborted === true) {
          reason = "interrupted";
          break;
        }
        const group = await stream.next();
        if (group.done === true) {
          reason = "no more batches";
          break;
        }
        const event = await this.#takeStep(group.value);
        yield event;
        if (event.type === "skip") continue;
        const { step } = this.#state;
        const isDue = evalEvery > 0 && (step % evalEvery === 0 || step === maxSteps);
        if (lossStep === undefined || validation === undefined || !isDue) continue;
        yield await this.#validate(lossStep, validation);
        if (this.#state.sinceBest >= patience) {
          reason = "no improvement";
          break;
        }
      }
    } finally {
      lossStep?.destroy();
      await stream.return(undefined); // closes the files that batches may come from
    }
    yield { type: "end", step: this.#state.step, reason };
  }

  async #takeStep(batches: readonly Item[]): Promise<TrainerEvent> {
    const begin = performance.now();
    const step = this.#state.step + 1;
    const learningRate = learningRateAt(step, this.#options);
    const result = await this.step.run(batches, { learningRate, step, ...this.#place() });
    const { loss, gradNorm, finite, skipped } = result;
    const isSkip = skipped && this.#state.lossScale !== undefined;
    if (!finite && !isSkip) throw new NotFiniteError(step, batches);
    this.#advance(batches, { step: isSkip ? step - 1 : step, finite });
    const numTokens = batches.length * this.#options.numRows * this.#options.seqLen;
    const batch = batches.at(-1)!.label;
    const ms = performance.now() - begin;
    if (!isSkip) return { type: "step", step, loss, gradNorm, learningRate, numTokens, ms, batch };
    const lossScale = this.#state.lossScale!.scale;
    return { type: "skip", step: step - 1, lossScale, numTokens, ms, batch };
  }

  #place(): { readonly numBatches: number; readonly lossScale?: number } {
    const { numBatches, lossScale } = this.#state;
    return { numBatches, ...(lossScale !== undefined && { lossScale: lossScale.scale }) };
  }

  /** Counts batches, the step if it was one, and what it means for the loss scale. */
  #advance(
    batches: readonly Item[],
    { step, finite }: { readonly step: number; readonly finite: boolean },
  ): void {
    const { lossScale: before, numBatches } = this.#state;
    const counted = { ...this.#state, step, numBatches: numBatches + batches.length };
    if (before === undefined) {
      this.#state = counted;
      return;
    }
    const options = this.#options.lossScale;
    const lossScale = nextLossScale(before, finite, options);
    const got = hopelessness(lossScale, options);
    if (got !== undefined) {
      const remedy = "lower the learning rate, or train in f32";
      throw new NotFiniteError(step + 1, batches, { got, remedy });
    }
    this.#state = { ...counted, lossScale };
  }

  async #validate(
    held: LossStep<Item>,
    { batches, count }: Validation<Item>,
  ): Promise<TrainerEvent> {
    const begin = performance.now();
    let sum = 0;
    for await (const batch of batches()) sum += await held.loss(batch);
    const loss = sum / count;
    const { step, best, sinceBest } = this.#state;
    const isBest = best === undefined || loss < best.loss;
    this.#state = isBest
      ? { ...this.#state, best: { step, loss }, sinceBest: 0 }
      : { ...this.#state, sinceBest: sinceBest + 1 };
    return { type: "validation", step, loss, isBest, ms: performance.now() - begin };
  }
}

/** Consecutive groups of `size`; a last, smaller one is a group too. */
async function* groups<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  size: number,
): AsyncGenerator<Item[]> {
  let group: Item[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length === size) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}
