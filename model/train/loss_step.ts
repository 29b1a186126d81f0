import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { linearCrossEntropy } from "../../engine/ops/linear_cross_entropy.ts";
import { Plan, type PlanDescription, submitAndRead } from "../../engine/plan.ts";
import { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type ActivationDType, checkActivationDType } from "../transformer/activation_dtype.ts";
import { ModelInputs } from "../transformer/inputs.ts";
import type { Transformer } from "../transformer/transformer.ts";

/** Options of a {@linkcode LossStep}. */
export interface LossStepOptions extends Pick<Batch, "numRows" | "seqLen"> {
  /** What activations are stored as. @default {"f32"} */
  readonly dtype?: ActivationDType;
}

/** The loss of batches without gradients: validation. */
export class LossStep {
  readonly #gpu: Gpu;
  readonly #inputs: ModelInputs;
  readonly #loss: Tensor;
  readonly #logProbabilities: Tensor;
  readonly #plan: Plan;

  /**
   * Records the plan; {@linkcode compile} before the first batch.
   *
   * @throws {TypeError} If activations are to be halves, and the device has none.
   */
  constructor(gpu: Gpu, model: Transformer, options: LossStepOptions) {
    const { dtype = "f32" } = options;
    checkActivationDType(gpu, dtype);
    this.#gpu = gpu;
    this.#inputs = new ModelInputs(gpu, model.config, options);
    const tape = new Tape(gpu);
    const x = model.hidden(tape, this.#inputs, { dtype });
    const { targets, weights } = this.#inputs;
    const outputs = linearCrossEntropy(tape, { x, weight: model.weights.output, targets, weights });
    this.#loss = outputs.loss;
    this.#logProbabilities = outputs.logProbabilities;
    this.#plan = new Plan(gpu, tape, { keep: [this.#loss, this.#logProbabilities] });
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
  async loss(batch: Batch): Promise<number> {
    const [loss] = await this.#run(batch, this.#loss);
    return loss!;
  }

  /** Log-probability of every target, `[numRows · seqLen]`; 0 where ignored. */
  logProbabilities(batch: Batch): Promise<Float32Array<ArrayBuffer>> {
    return this.#run(batch, this.#logProbabilities);
  }

  async #run(batch: Batch, output: Tensor): Promise<Float32Array<ArrayBuffer>> {
    this.#inputs.write(batch);
    const [values] = await submitAndRead(this.#gpu, [this.#plan], [this.#plan.source(output)]);
    return values!;
  }

  /** Frees the memory of the plan and its inputs. */
  destroy(): void {
    this.#inputs.destroy();
    this.#plan.destroy();
  }
}
