import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { causalAttention } from "../../engine/ops/attention.ts";
import type { CacheHeadsInputs } from "../../engine/ops/cache_heads.ts";
import { RANDOMNESS_LENGTH, randomnessOf } from "../../engine/ops/dropout.ts";
import { TokenInput } from "../../engine/segments.ts";
import type { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ModelConfig } from "./config.ts";

/** Queries, keys and values of one block, as projected and rotated. */
export interface Heads {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
}

/** Sizes of the heads of a block, and which block it is. */
export interface HeadSizes {
  readonly index: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

/** Sizes of a block's heads, and what happens to them between projection and attention. */
export interface ProjectedSizes extends HeadSizes, Pick<CacheHeadsInputs, "rotary" | "norms"> {}

/** What a forward pass reads: the tensors of a plan that change, and how queries find keys. */
export interface ForwardInputs {
  /** `[numTokens]` u32; with segments where the embedding is trained. */
  readonly tokens: TokenInput | Tensor;
  /** `[numTokens]` u32; with segments where learned positions are trained. */
  readonly positions: TokenInput | Tensor;
  /** Key of dropout; training only. */
  readonly randomness?: Tensor;
  /** Records the attention of one block; shaped as `q`. */
  attend(tape: Tape, heads: Heads, sizes: HeadSizes): Tensor;
  /**
   * The same from queries, keys and values as they were projected, one after another; for inference.
   * Absent where gradients may flow, so that nothing is fused.
   */
  attendProjected?(tape: Tape, heads: Tensor, sizes: ProjectedSizes): Tensor;
}

/** The tensors of a plan that change with every batch of rows that stand alone. */
export class ModelInputs implements ForwardInputs {
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
  readonly #slidingWindow: number | null;

  constructor(
    gpu: Gpu,
    {
      vocabSize,
      maxSeqLen,
      slidingWindow,
    }: Pick<ModelConfig, "vocabSize" | "maxSeqLen" | "slidingWindow">,
    { numRows, seqLen }: Pick<Batch, "numRows" | "seqLen">,
  ) {
    const numTokens = numRows * seqLen;
    const u32 = (label: string) => gpu.tensor([numTokens], { label, dtype: "u32" });
    this.#gpu = gpu;
    this.#slidingWindow = slidingWindow;
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
    this.#gpu.write(this.starts, windowStarts(batch, this.#slidingWindow));
    this.#gpu.write(this.ends, batch.ends);
    this.#gpu.write(this.targets, batch.targets);
    this.#gpu.write(
      this.weights,
      batch.weights.map((weight) => weight * weightScale),
    );
    this.#gpu.write(this.randomness, randomnessOf({ seed, step }));
  }

  attend(tape: Tape, heads: Heads, sizes: HeadSizes): Tensor {
    const { seqLen, starts, ends } = this;
    return causalAttention(tape, { ...heads, starts, ends }, { seqLen, ...sizes });
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

/**
 * First key that each query sees under a sliding window: not that of its document, but the one
 * `window − 1` positions back. In rows of trees, where a place says nothing of a position, the key
 * of a position that a query sees is the last one placed there before it.
 */
export function windowStarts(
  {
    starts,
    positions,
    numRows,
    seqLen,
  }: Pick<Batch, "starts" | "positions" | "numRows" | "seqLen">,
  window: number | null,
): Uint32Array<ArrayBuffer> {
  if (window === null) return starts;
  const windowed = starts.slice();
  for (let row = 0; row < numRows; row++) {
    const placeOf = new Map<number, number>();
    for (let place = 0; place < seqLen; place++) {
      const at = row * seqLen + place;
      const position = positions[at]!;
      placeOf.set(position, place);
      const first = placeOf.get(position - window + 1);
      if (first !== undefined) windowed[at] = Math.max(starts[at]!, first);
    }
  }
  return windowed;
}
