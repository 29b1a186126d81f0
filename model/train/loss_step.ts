import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { Plan, type PlanDescription, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type ActivationDType, checkActivationDType } from "../transformer/activation_dtype.ts";
import { objectiveOf, type Trainable } from "./language_objective.ts";
import type { LabeledBatch, RecordedLoss } from "./objective.ts";

/** Options of a {@linkcode LossStep}. */
export interface LossStepOptions extends Pick<Batch, "numRows" | "seqLen"> {
  /** What activations are stored as. @default {"f32"} */
  readonly dtype?: ActivationDType;
}

/** The loss of batches without gradients: validation. */
export class LossStep<Item extends LabeledBatch = Batch> {
  readonly #gpu: Gpu;
  readonly #recorded: RecordedLoss<Item>;
  readonly #plan: Plan;

  /**
   * Records the plan; {@linkcode compile} before the first batch.
   *
   * @param model A transformer, or another objective.
   * @throws {TypeError} If activations are to be halves, and the device has none.
   */
  constructor(gpu: Gpu, model: Trainable<Item>, options: LossStepOptions) {
    const { numRows, seqLen, dtype = "f32" } = options;
    checkActivationDType(gpu, dtype);
    this.#gpu = gpu;
    const tape = new Tape(gpu);
    const sizes = { numRows, seqLen, dtype, training: false, checkpoint: false };
    this.#recorded = objectiveOf(model).record(gpu, tape, sizes);
    const { loss, logProbabilities } = this.#recorded;
    this.#plan = new Plan(gpu, tape, { keep: [loss, logProbabilities] });
  }

  /** Dispatches and bytes of the plan. */
  describe(): PlanDescription {
    return this.#plan.describe();
  }

  /** Compiles the plan. */
  async compile(): Promise<this> {
    await this.#plan.compile();
    return this;
  }

  /** Sum of weighted losses over a batch. */
  async loss(batch: Item): Promise<number> {
    const [loss] = await this.#run(batch, this.#recorded.loss);
    return loss!;
  }

  /** Log-probability of every target, `[numRows · seqLen]`; 0 where ignored. */
  logProbabilities(batch: Item): Promise<Float32Array<ArrayBuffer>> {
    return this.#run(batch, this.#recorded.logProbabilities);
  }

  async #run(batch: Item, output: Tensor): Promise<Float32Array<ArrayBuffer>> {
    this.#recorded.write(batch);
    const [values] = await submitAndRead(this.#gpu, [this.#plan], [this.#plan.source(output)]);
    return values!;
  }

  /** Frees the memory of the plan and its inputs. */
  destroy(): void {
    this.#recorded.destroy();
    this.#plan.destroy();
  }
}
