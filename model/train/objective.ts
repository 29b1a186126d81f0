import type { Gpu } from "../../engine/gpu.ts";
import type { Tape } from "../../engine/tape.ts";
import type { Parameter, Tensor } from "../../engine/tensor.ts";
import type { ActivationDType } from "../transformer/activation_dtype.ts";

/** Data of one step, or of a part of one, as errors and progress name it. */
export interface LabeledBatch {
  /** Such as `"epoch 2, batch 17"`. */
  readonly label: string;
}

/** What a plan is recorded for. */
export interface RecordOptions {
  /** Rows of a batch. */
  readonly numRows: number;
  /** Places of a row; 1 where rows are predictions that stand alone. */
  readonly seqLen: number;
  /** Whether gradients will be asked for, so that dropout applies. */
  readonly training: boolean;
  /** What activations are stored as. */
  readonly dtype: ActivationDType;
  /** Keeps no activations of a block for backward, which computes them again. */
  readonly checkpoint: boolean;
}

/** Where in a run a batch is, and how its loss is weighted. */
export interface BatchPlace {
  /** Multiplies every weight of the loss. @default {1} */
  readonly weightScale?: number;
  /** Seed of dropout. @default {0} */
  readonly seed?: number;
  /** Key of dropout: batches taken before. @default {0} */
  readonly step?: number;
}

/** A loss on a tape, and the tensors that change from batch to batch. */
export interface RecordedLoss<Item extends LabeledBatch> {
  /** `Σ weights · −log P(truth)`, `[1]` f32. */
  readonly loss: Tensor;
  /** log P(truth) of every place, `[numRows · seqLen]` f32; 0 where nothing is predicted. */
  readonly logProbabilities: Tensor;
  /**
   * Sets what the next replay works on.
   *
   * @throws {RangeError} If the batch does not fit what was recorded.
   */
  write(batch: Item, place?: BatchPlace): void;
  /** Frees the tensors that change; parameters stay. */
  destroy(): void;
}

/**
 * What training makes smaller: a loss of batches of any kind, as a function of parameters.
 *
 * Steps and trainers know models only through this; transformers are objectives of resumes as
 * tokens by {@linkcode languageObjective}.
 */
export interface Objective<Item extends LabeledBatch> {
  /** What training changes, in a fixed order, by unique labels. */
  readonly parameters: readonly Parameter[];
  /** Records the loss of a batch; allocates what changes from batch to batch. */
  record(gpu: Gpu, tape: Tape, options: RecordOptions): RecordedLoss<Item>;
  /** Sum of the weights of a batch's loss: what a mean divides by. */
  totalWeight(batch: Item): number;
}
