import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { RANDOMNESS_LENGTH, randomnessOf } from "../../engine/ops/dropout.ts";
import { TokenInput } from "../../engine/segments.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ModelConfig } from "./config.ts";

/** The tensors of a plan that change with every batch. */
export class ModelInputs {
  readonly numRows: number;
  readonly seqLen: number;
  readonly tokens: TokenInput;
  readonly positions: TokenInput;
  /** First visible key, end of a key's queries, token to predict: `[numRows · seqLen]` u32. */
  readonly starts: Tensor;
  readonly ends: Tensor;
  readonly targets: Tensor;
  /** Weight of each token's loss, `[numRows · seqLen]` f32. */
  readonly weights: Tensor;
  /** Key of dropout: {@linkcode randomnessOf}. */
  readonly randomness: Tensor;
  readonly #gpu: Gpu;

  constructor(
    gpu: Gpu,
    { vocabSize, maxSeqLen }: Pick<ModelConfig, "vocabSize" | "maxSeqLen">,
    { numRows, seqLen }: Pick<Batch, "numRows" | "seqLen">,
  ) {
    const numTokens = numRows * seqLen;
    const u32 = (label: string) => gpu.tensor([numTokens], { label, dtype: "u32" });
    this.#gpu = gpu;
    this.numRows = numRows;
    this.seqLen = seqLen;
    this.tokens = new TokenInput(gpu, { numTokens, vocabSize });
    this.positions = new TokenInput(gpu, { numTokens, vocabSize: maxSeqLen, label: "positions" });
    this.starts = u32("starts");
    this.ends = u32("ends");
    this.targets = u32("targets");
    this.weights = gpu.tensor([numTokens], { label: "weights" });
    this.randomness = gpu.tensor([RANDOMNESS_LENGTH], { label: "randomness", dtype: "u32" });
  }

  /**
   * Sets what the next replay works on.
   *
   * @param batch Of the sizes that the inputs were made for.
   * @param options `weightScale` multiplies every loss weight; `seed` and `step` key dropout.
   * @throws {RangeError} If the sizes, a token or a position do not fit the model.
   */
  write(
    batch: Batch,
    {
      weightScale = 1,
      seed = 0,
      step = 0,
    }: { readonly weightScale?: number; readonly seed?: number; readonly step?: number } = {},
  ): void {
    if (batch.numRows !== this.numRows || batch.seqLen !== this.seqLen) {
      throw new RangeError(
        `Cannot run ${batch.label}: it must be [${this.numRows}, ${this.seqLen}], got [${batch.numRows}, ${batch.seqLen}]`,
      );
    }
    this.tokens.write(batch.tokens);
    this.positions.write(batch.positions);
    this.#gpu.write(this.starts, batch.starts);
    this.#gpu.write(this.ends, batch.ends);
    this.#gpu.write(this.targets, batch.targets);
    this.#gpu.write(
      this.weights,
      batch.weights.map((weight) => weight * weightScale),
    );
    this.#gpu.write(this.randomness, randomnessOf({ seed, step }));
  }

  /** Frees the memory. */
  destroy(): void {
    this.tokens.destroy();
    this.positions.destroy();
    for (const { buffer } of [this.starts, this.ends, this.targets, this.weights]) {
      buffer?.destroy();
    }
    this.randomness.buffer?.destroy();
  }
}
