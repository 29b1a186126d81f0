import type { Gpu } from "../../engine/gpu.ts";
import { cacheHeads } from "../../engine/ops/cache_heads.ts";
import { cachedAttention, writeCache } from "../../engine/ops/cached_attention.ts";
import type { Tape } from "../../engine/tape.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ForwardInputs, Heads, HeadSizes, ProjectedSizes } from "../transformer/inputs.ts";
import { type KvCache, NO_PLACE } from "./kv_cache.ts";

/** New tokens of one row, in the order of their places. */
export interface Span {
  readonly tokens: ArrayLike<number>;
  /** Where each token stands in its text. */
  readonly positions: ArrayLike<number>;
  /** Where its key and value go in the cache, ascending; other than positions behind a tree. */
  readonly places: ArrayLike<number>;
  /** First place that it sees. */
  readonly starts: ArrayLike<number>;
}

/** Tokens that go on with a text, `begin` of which the cache holds. */
export function textSpan(
  tokens: ArrayLike<number>,
  begin: number,
  slidingWindow: number | null,
): Span {
  const places = Uint32Array.from({ length: tokens.length }, (_, i) => begin + i);
  const window = slidingWindow ?? Infinity;
  return {
    tokens,
    positions: places,
    places,
    starts: places.map((place) => Math.max(0, place - window + 1)),
  };
}

/** Inputs of a forward pass over new tokens of every row, whose texts so far are in a cache. */
export class CachedInputs implements ForwardInputs {
  readonly seqLen: number;
  /** `[numRows · seqLen]` u32, as the rest. */
  readonly tokens: Tensor;
  readonly positions: Tensor;
  readonly places: Tensor;
  readonly starts: Tensor;
  readonly #gpu: Gpu;
  readonly #cache: KvCache;

  /**
   * @param gpu Device of the cache.
   * @param cache Where keys and values are kept.
   * @param seqLen New tokens of a row at most.
   */
  constructor(gpu: Gpu, cache: KvCache, seqLen: number) {
    const tensor = (label: string) => gpu.tensor([cache.numRows * seqLen], { label, dtype: "u32" });
    this.#gpu = gpu;
    this.#cache = cache;
    this.seqLen = seqLen;
    this.tokens = tensor("tokens");
    this.positions = tensor("positions");
    this.places = tensor("places");
    this.starts = tensor("starts");
  }

  /**
   * Sets what the next replay reads.
   *
   * @param spans New tokens of each row, at most `seqLen`; the rest is padding, which leaves the
   *   cache as it is.
   */
  write(spans: readonly Span[]): void {
    const { seqLen } = this;
    const length = this.#cache.numRows * seqLen;
    const places = new Uint32Array(length).fill(NO_PLACE);
    const [tokens, positions, starts] = [0, 0, 0].map(() => new Uint32Array(length));
    spans.forEach((span, row) => {
      tokens!.set(span.tokens, row * seqLen);
      positions!.set(span.positions, row * seqLen);
      places.set(span.places, row * seqLen);
      starts!.set(span.starts, row * seqLen);
    });
    this.#gpu.write(this.tokens, tokens!);
    this.#gpu.write(this.positions, positions!);
    this.#gpu.write(this.places, places);
    this.#gpu.write(this.starts, starts!);
  }

  attend(tape: Tape, { q, k, v }: Heads, { index, ...sizes }: HeadSizes): Tensor {
    const { places, starts, seqLen } = this;
    const { blocks, ends, capacity } = this.#cache;
    const { keys, values } = blocks[index]!;
    const also = { x: v, cache: values };
    writeCache(tape, { x: k, cache: keys, also, places }, { seqLen, capacity });
    const inputs = { q, k: keys, v: values, places, starts, ends };
    return cachedAttention(tape, inputs, { seqLen, capacity, ...sizes });
  }

  attendProjected(tape: Tape, heads: Tensor, sizes: ProjectedSizes): Tensor {
    const { places, starts, seqLen } = this;
    const { index, rotary, norms, ...widths } = sizes;
    const { blocks, ends, capacity } = this.#cache;
    const { keys, values } = blocks[index]!;
    const options = { seqLen, capacity, ...widths };
    const also = { ...(rotary && { rotary }), ...(norms && { norms }) };
    const q = cacheHeads(tape, { heads, keys, values, places, ...also }, options);
    const inputs = { q, k: keys, v: values, places, starts, ends };
    return cachedAttention(tape, inputs, options);
  }

  /** Frees the memory. */
  destroy(): void {
    for (const { buffer } of [this.tokens, this.positions, this.places, this.starts]) {
      buffer?.destroy();
    }
  }
}
