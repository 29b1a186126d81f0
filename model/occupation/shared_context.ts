import type { Batch } from "../../data/batch.ts";
import type { Gpu } from "../../engine/gpu.ts";
import { CachedInputs } from "../generate/cached_inputs.ts";
import { KvCache, NO_PLACE } from "../generate/kv_cache.ts";
import { Prefill } from "../generate/prefill.ts";
import { windowStarts } from "../transformer/inputs.ts";
import type { Transformer } from "../transformer/transformer.ts";

/**
 * Text that stands before every document of a pass. It is read once: its keys and values stay in
 * a cache, behind which each pass lays its documents.
 *
 *     places     context …   document   document   …
 *     sees       itself      the context and itself
 */
export class SharedContext {
  readonly tokens: Uint32Array;
  readonly #gpu: Gpu;
  readonly #model: Transformer;
  readonly #cache: KvCache;
  #isRead: Promise<void> | undefined;

  /**
   * Allocates the cache.
   *
   * @param gpu Device of the model.
   * @param model Who reads.
   * @param sizes The context, and the tokens of a pass at most.
   * @throws {RangeError} If the device cannot hold the cache.
   */
  constructor(
    gpu: Gpu,
    model: Transformer,
    { tokens, passTokens }: { readonly tokens: Uint32Array; readonly passTokens: number },
  ) {
    this.tokens = tokens;
    this.#gpu = gpu;
    this.#model = model;
    this.#cache = new KvCache(gpu, model.config, {
      numRows: 1,
      capacity: tokens.length + passTokens,
    });
  }

  /** Inputs of a pass of so many tokens. */
  inputs(seqLen: number): CachedInputs {
    return new CachedInputs(this.#gpu, this.#cache, seqLen);
  }

  /** Reads the context, the first time. */
  async read(): Promise<void> {
    this.#isRead ??= this.#prefill();
    await this.#isRead;
  }

  /**
   * Sets what the next replay of a pass reads.
   *
   * @param inputs Those of the pass.
   * @param batch A row of documents, their positions from 0.
   * @param numTokens How many of them are no padding.
   */
  write(inputs: CachedInputs, batch: Batch, numTokens: number): void {
    const { length } = this.tokens;
    const { slidingWindow } = this.#model.config;
    const ends = new Uint32Array(this.#cache.capacity).fill(NO_PLACE);
    for (let i = 0; i < numTokens; i++) ends[length + i] = length + batch.ends[i]!;
    this.#cache.writeEnds(ends);
    const seqLen = length + numTokens;
    const positions = Uint32Array.from({ length: seqLen }, (_, place) =>
      place < length ? place : length + batch.positions[place - length]!,
    );
    const starts = windowStarts(
      { starts: new Uint32Array(seqLen), positions, numRows: 1, seqLen },
      slidingWindow,
    );
    inputs.write([
      {
        tokens: batch.tokens.subarray(0, numTokens),
        positions: positions.subarray(length),
        places: Uint32Array.from({ length: numTokens }, (_, i) => length + i),
        starts: starts.subarray(length),
      },
    ]);
  }

  /** Frees the cache. */
  destroy(): void {
    this.#cache.destroy();
  }

  async #prefill(): Promise<void> {
    const prefill = new Prefill(this.#gpu, this.#model, this.#cache);
    try {
      await prefill.run([this.tokens]);
    } finally {
      prefill.destroy();
    }
  }
}
