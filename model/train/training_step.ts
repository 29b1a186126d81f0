import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import {
  ADAM_W_SCHEDULE_LENGTH,
  adamWSchedule,
  type AdamWState,
  adamWStates,
  adamWStep,
} from "../../engine/ops/adam_w.ts";
import { clipGradients } from "../../engine/ops/clip_gradients.ts";
import { Plan, type PlanDescription, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Parameter, Tensor } from "../../engine/tensor.ts";
import { type ActivationDType, checkActivationDType } from "../transformer/activation_dtype.ts";
import { objectiveOf, type Trainable } from "./language_objective.ts";
import type { LabeledBatch, Objective, RecordedLoss } from "./objective.ts";

/** Options of a {@linkcode TrainingStep}. */
export interface TrainingStepOptions {
  /** Rows of a batch. */
  readonly numRows: number;
  /** Tokens of a row. */
  readonly seqLen: number;
  /** Seed of dropout. @default {0} */
  readonly seed?: number;
  /** Decay of matrices; norms and biases never decay. @default {0.1} */
  readonly weightDecay?: number;
  /** Which weights decay. @default {matrices} */
  readonly decays?: (parameter: Parameter) => boolean;
  /** @default {0.9} */
  readonly beta1?: number;
  /** @default {0.95} */
  readonly beta2?: number;
  /** @default {1e-8} */
  readonly eps?: number;
  /** Gradients are scaled down to this global norm; `Infinity` for never. @default {1} */
  readonly maxGradNorm?: number;
  /**
   * What activations, and the weights that they are multiplied by, are stored as. Weights that are
   * trained, their gradients and moments stay f32.
   *
   * @default {"f32"}
   */
  readonly dtype?: ActivationDType;
  /** Keeps no activations of a block for backward, which computes them again. @default {false} */
  readonly checkpoint?: boolean;
}

/** What one step measured. */
export interface StepResult {
  /** Mean weighted loss over the step's batches. */
  readonly loss: number;
  /** Global norm of the gradients before clipping, free of the loss scale. */
  readonly gradNorm: number;
  /** Whether loss and gradients are finite; where the gradients are not, the weights have not moved. */
  readonly finite: boolean;
  /** Whether the gradients are not finite, so that nothing has moved. */
  readonly skipped: boolean;
}

/** Where in a run a step is. */
export interface StepPlace {
  readonly learningRate: number;
  /** Counted from 1. */
  readonly step: number;
  /** Micro-batches taken before this step. */
  readonly numBatches: number;
  /**
   * What gradients are multiplied by on their way through halves, a power of two; f32 needs none.
   *
   * @default {1}
   */
  readonly lossScale?: number;
}

/**
 * Forward, backward, clipping and AdamW as two plans: one for the gradients of a batch, one for
 * the update. A step of one batch is one compute pass and one submit.
 */
export class TrainingStep<Item extends LabeledBatch = Batch> {
  /** Moments of every weight, by label. */
  readonly moments: ReadonlyMap<string, AdamWState>;
  readonly #gpu: Gpu;
  readonly #options: TrainingStepOptions;
  readonly #objective: Objective<Item>;
  readonly #recorded: RecordedLoss<Item>;
  readonly #schedule: Tensor;
  /** Gradient of the loss, where backward begins: the loss scale. */
  readonly #dLoss: Tensor;
  /** Small inputs of the plans, to be freed with them. */
  readonly #constants: readonly Tensor[];
  readonly #clip: Tensor;
  readonly #gradients: Plan;
  readonly #update: Plan;

  /**
   * Records both plans; {@linkcode compile} before the first step.
   *
   * @param model A transformer, or another objective.
   * @throws {RangeError} If the norm to clip at is not positive.
   * @throws {TypeError} If activations are to be halves, and the device has none.
   */
  constructor(gpu: Gpu, model: Trainable<Item>, options: TrainingStepOptions) {
    const { numRows, seqLen, maxGradNorm = 1, dtype = "f32", checkpoint = false } = options;
    checkActivationDType(gpu, dtype);
    if (!(maxGradNorm > 0)) {
      throw new RangeError(
        `Cannot clip gradients: maxGradNorm must be positive, got ${maxGradNorm}`,
      );
    }
    this.#gpu = gpu;
    this.#options = options;
    this.#objective = objectiveOf(model);

    const tape = new Tape(gpu);
    const recording = { numRows, seqLen, training: true, dtype, checkpoint };
    this.#recorded = this.#objective.record(gpu, tape, recording);
    const { loss } = this.#recorded;
    this.#dLoss = gpu.tensor([1], { label: "dLoss", values: Float32Array.of(1) });
    tape.backward(loss, this.#dLoss);
    this.#gradients = new Plan(gpu, tape, { keep: [loss] });

    const update = new Tape(gpu);
    const limit = Float32Array.of(Math.min(maxGradNorm, 3.4e38));
    const maxNorm = gpu.tensor([1], { label: "maxGradNorm", values: limit });
    const lossScale = dtype === "f16" ? this.#dLoss : undefined;
    this.#clip = clipGradients(update, this.#objective.parameters, maxNorm, lossScale);
    this.#schedule = gpu.tensor([ADAM_W_SCHEDULE_LENGTH], { label: "schedule" });
    this.moments = this.#recordUpdate(update, this.#objective.parameters);
    this.#constants = [this.#dLoss, maxNorm, this.#schedule];
    this.#update = new Plan(gpu, update, { keep: [this.#clip] });
  }

  /** Records AdamW for every parameter; returns their moments by label. */
  #recordUpdate(tape: Tape, parameters: readonly Parameter[]): Map<string, AdamWState> {
    const { weightDecay = 0.1, decays = isMatrix } = this.#options;
    const states = adamWStates(this.#gpu, parameters);
    const updates = parameters.map((parameter, index) => ({
      parameter,
      state: states[index]!,
      weightDecay: decays(parameter) ? weightDecay : 0,
    }));
    adamWStep(tape, updates, { schedule: this.#schedule, clip: this.#clip });
    return new Map(updates.map(({ parameter, state }) => [parameter.label, state]));
  }

  /** Dispatches and bytes of the gradient plan and of the update plan. */
  describe(): { readonly gradients: PlanDescription; readonly update: PlanDescription } {
    return { gradients: this.#gradients.describe(), update: this.#update.describe() };
  }

  /** Both plans, in the order in which a step runs them; for profiling. */
  get plans(): { readonly gradients: Plan; readonly update: Plan } {
    return { gradients: this.#gradients, update: this.#update };
  }

  /** Compiles both plans. */
  async compile(): Promise<this> {
    await Promise.all([this.#gradients.compile(), this.#update.compile()]);
    return this;
  }

  /**
   * Takes one step.
   *
   * @param batches Micro-batches whose gradients add up; weighted as if they were one batch.
   * @param at Learning rate, step and loss scale.
   */
  async run(batches: readonly Item[], at: StepPlace): Promise<StepResult> {
    const { seed = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8 } = this.#options;
    const total = batches.reduce((sum, batch) => sum + this.#objective.totalWeight(batch), 0);
    const weightScale = total > 0 ? 1 / total : 0;
    this.#gpu.write(this.#schedule, adamWSchedule({ ...at, beta1, beta2, eps }));
    if (this.#options.dtype === "f16") {
      this.#gpu.write(this.#dLoss, Float32Array.of(at.lossScale ?? 1));
    }
    const reads = batches.map((batch, index) => {
      this.#recorded.write(batch, { weightScale, seed, step: at.numBatches + index });
      const last = index === batches.length - 1;
      return last
        ? submitAndRead(
            this.#gpu,
            [this.#gradients, this.#update],
            [this.#gradients.source(this.#recorded.loss), this.#update.source(this.#clip)],
          )
        : submitAndRead(
            this.#gpu,
            [this.#gradients],
            [this.#gradients.source(this.#recorded.loss)],
          );
    });
    const results = await Promise.all(reads);
    const loss = results.reduce((sum, [value]) => sum + value![0]!, 0);
    const [, notFinite = 1, gradNorm = 0] = results.at(-1)?.[1] ?? [];
    const skipped = notFinite !== 0;
    return { loss, gradNorm, finite: !skipped && Number.isFinite(loss), skipped };
  }

  /** Frees the memory of plans and inputs; weights and moments stay. */
  destroy(): void {
    this.#recorded.destroy();
    this.#gradients.destroy();
    this.#update.destroy();
    for (const tensor of this.#constants) tensor.buffer?.destroy();
  }
}

function isMatrix({ shape }: Parameter): boolean {
  return shape.length > 1;
}
