import type { Gpu } from "../../engine/gpu.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import { RANDOMNESS_LENGTH, randomnessOf } from "../../engine/ops/dropout.ts";
import { TokenInput } from "../../engine/segments.ts";
import type { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { BatchPlace } from "../train/objective.ts";
import type { ForwardInputs, Heads, HeadSizes } from "../transformer/inputs.ts";
import type { CareerConfig } from "./config.ts";
import { type CovariateVocabulary, numRowsOf } from "./covariates.ts";
import type { BatchSizes, CareerBatch } from "./pack.ts";

/** The tensors of a plan that change with every batch of careers. */
export class CareerInputs implements ForwardInputs {
  /** Occupation before each place: looked up, and what the two-stage head compares with. */
  readonly tokens: TokenInput;
  /** Rows of each covariate. */
  readonly covariates: readonly TokenInput[];
  /** Place in the career, occupation to predict: `[numRows · seqLen]` u32. */
  readonly positions: Tensor;
  readonly targets: Tensor;
  /** Weight of each place's loss, `[numRows · seqLen]` f32. */
  readonly weights: Tensor;
  readonly randomness: Tensor;
  readonly #gpu: Gpu;
  readonly #sizes: BatchSizes;
  readonly #starts: Tensor;
  readonly #ends: Tensor;

  constructor(
    gpu: Gpu,
    {
      config,
      vocabulary,
    }: { readonly config: CareerConfig; readonly vocabulary: CovariateVocabulary },
    { numRows, seqLen }: BatchSizes,
  ) {
    const numTokens = numRows * seqLen;
    const u32 = (label: string) => gpu.tensor([numTokens], { label, dtype: "u32" });
    this.#gpu = gpu;
    this.#sizes = { numRows, seqLen };
    this.tokens = new TokenInput(gpu, {
      numTokens,
      vocabSize: config.numOccupations + 1,
      label: "previous",
    });
    this.covariates = vocabulary.map(
      (covariate) =>
        new TokenInput(gpu, {
          numTokens,
          vocabSize: numRowsOf(covariate),
          label: covariate.name,
        }),
    );
    this.positions = u32("positions");
    this.targets = u32("targets");
    this.weights = gpu.tensor([numTokens], { label: "weights" });
    this.randomness = gpu.tensor([RANDOMNESS_LENGTH], { label: "randomness", dtype: "u32" });
    this.#starts = u32("starts");
    this.#ends = u32("ends");
  }

  /**
   * Sets what the next replay works on.
   *
   * @throws {RangeError} If the batch is of other sizes, or of another model.
   */
  write(batch: CareerBatch, { weightScale = 1, seed = 0, step = 0 }: BatchPlace = {}): void {
    const { numRows, seqLen } = this.#sizes;
    if (batch.numRows !== numRows || batch.seqLen !== seqLen) {
      throw new RangeError(
        `Cannot run ${batch.label}: it must be [${numRows}, ${seqLen}], got [${batch.numRows}, ${batch.seqLen}]`,
      );
    }
    if (batch.covariates.length !== this.covariates.length) {
      throw new RangeError(
        `Cannot run ${batch.label}: it must have ${this.covariates.length} covariates, got ${batch.covariates.length}`,
      );
    }
    this.tokens.write(batch.previous);
    this.covariates.forEach((input, which) => input.write(batch.covariates[which]!));
    this.#gpu.write(this.positions, batch.positions);
    this.#gpu.write(this.targets, batch.targets);
    this.#gpu.write(this.#starts, batch.starts);
    this.#gpu.write(this.#ends, batch.ends);
    const weights = batch.weights.map((weight) => weight * weightScale);
    this.#gpu.write(this.weights, weights);
    this.#gpu.write(this.randomness, randomnessOf({ seed, step }));
  }

  /** Records the attention of one block: a person-year sees those of the same person up to itself. */
  attend(tape: Tape, heads: Heads, sizes: HeadSizes): Tensor {
    const { seqLen } = this.#sizes;
    const spans = { starts: this.#starts, ends: this.#ends };
    return causalAttention(tape, { ...heads, ...spans }, { seqLen, ...sizes });
  }

  /** Frees the memory. */
  destroy(): void {
    for (const input of [this.tokens, ...this.covariates]) input.destroy();
    const { positions, targets, weights, randomness } = this;
    for (const { buffer } of [positions, targets, weights, randomness, this.#starts, this.#ends]) {
      buffer?.destroy();
    }
  }
}
