import type { Gpu } from "../../engine/gpu.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ModelConfig } from "../transformer/config.ts";

/** Keys and values of one block. */
export interface BlockCache {
  /** `[numRows · capacity, numKvHeads · headDim]` */
  readonly keys: Tensor;
  /** Shaped as `keys`. */
  readonly values: Tensor;
}

/** Sizes of a {@linkcode KvCache}. */
export interface KvCacheSizes {
  /** Sequences side by side. */
  readonly numRows: number;
  /** Places for tokens in each of them. */
  readonly capacity: number;
}

/** What the place of a padding token is; nothing is kept of it. */
export const NO_PLACE = 0xffff_ffff;

/** Keys and values of the tokens that a model has read, so that no token is read twice. */
export class KvCache {
  readonly numRows: number;
  readonly capacity: number;
  readonly blocks: readonly BlockCache[];
  /** End of the places whose queries see each key, `[numRows · capacity]` u32. */
  readonly ends: Tensor;
  readonly #gpu: Gpu;

  /**
   * Allocates the cache; keys are seen by all later queries until {@linkcode writeEnds}.
   *
   * @throws {RangeError} If the device has less memory, as far as that is known.
   */
  constructor(gpu: Gpu, config: ModelConfig, { numRows, capacity }: KvCacheSizes) {
    const numPlaces = numRows * capacity;
    gpu.checkFits(
      cacheBytes(config, { numRows, capacity }),
      `keys and values of ${numRows} × ${capacity} tokens`,
    );
    const width = config.numKvHeads * config.headDim;
    if (4 * numPlaces * width > gpu.maxBindingBytes) {
      throw new RangeError(
        `Cannot keep keys and values of ${numRows} × ${capacity} tokens: those of a block must fit ${gpu.maxBindingBytes} bytes on this device, got ${4 * numPlaces * width}; use shorter texts`,
      );
    }
    const tensor = (label: string) => gpu.tensor([numPlaces, width], { label, purpose: "cache" });
    this.#gpu = gpu;
    this.numRows = numRows;
    this.capacity = capacity;
    this.blocks = Array.from({ length: config.numBlocks }, (_, index) => ({
      keys: tensor(`keys of block ${index}`),
      values: tensor(`values of block ${index}`),
    }));
    this.ends = gpu.tensor([numPlaces], { label: "cache ends", dtype: "u32" });
    this.writeEnds(new Uint32Array(numPlaces).fill(NO_PLACE));
  }

  /** Sets who sees each key, `[numRows · capacity]`. */
  writeEnds(ends: Uint32Array<ArrayBuffer>): void {
    this.#gpu.write(this.ends, ends);
  }

  /** Frees the memory. */
  destroy(): void {
    for (const { keys, values } of this.blocks) {
      keys.buffer?.destroy();
      values.buffer?.destroy();
    }
    this.ends.buffer?.destroy();
  }
}

/** Rows of so many places that a device can hold, as far as its memory is known. */
export function rowsThatFit(gpu: Gpu, config: ModelConfig, capacity: number): number {
  const row = cacheBytes(config, { numRows: 1, capacity });
  const bound = 4 * capacity * config.numKvHeads * config.headDim;
  const free = gpu.maxMemoryBytes - gpu.allocatedBytes;
  return Math.floor(Math.min(free / row, gpu.maxBindingBytes / bound));
}

/** Bytes that a cache takes. */
function cacheBytes(
  { numBlocks, numKvHeads, headDim }: ModelConfig,
  { numRows, capacity }: KvCacheSizes,
): number {
  return numRows * capacity * (2 * numBlocks * numKvHeads * headDim + 1) * 4;
}
