import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { writeCacheKernel, writeCachesKernel } from "../../shaders/write_cache.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";

/** What to write where: a token's vector, and the cache it goes to. */
export interface CacheWrite {
  /** `[numRows · seqLen, width]`, f32 or f16. */
  readonly x: Tensor;
  /** `[numRows · capacity, width]`, f32 or f16, persistent. */
  readonly cache: Tensor;
}

/** Inputs of {@linkcode writeCache}. */
export interface WriteCacheInputs extends CacheWrite {
  /** A second write to the same places in the same dispatch, shaped and stored as the first. */
  readonly also?: CacheWrite;
  /**
   * Place of each token in its row of the cache, `[numRows · seqLen]` u32, no two alike in a row;
   * one at or beyond the capacity (0xffffffff for padding) writes nothing.
   */
  readonly places: Tensor;
}

/** Sizes for {@linkcode writeCache}. */
export interface WriteCacheOptions {
  readonly seqLen: number;
  /** Places that each row of the batch owns. */
  readonly capacity: number;
}

/**
 * Writes vectors of tokens to their places in a cache.
 *
 *     cache[row · capacity + places[token]] = x[token]
 *
 * No gradient flows through a cache.
 *
 * @param tape Where to record.
 * @param inputs Vectors, caches and places.
 * @param options Sizes.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If the places are not u32, or the second write is not stored as the first.
 */
export function writeCache(
  tape: Tape,
  { x, cache, also, places }: WriteCacheInputs,
  { seqLen, capacity }: WriteCacheOptions,
): void {
  const elements = x.shape.at(-1) ?? 1;
  const numTokens = sizeOf(x.shape) / elements;
  const numRows = numTokens / seqLen;
  const writes = also === undefined ? [{ x, cache }] : [{ x, cache }, also];
  if (
    !Number.isInteger(numRows) ||
    sizeOf(places.shape) !== numTokens ||
    writes.some((one) => one.x.shape.join() !== x.shape.join()) ||
    writes.some((one) => one.cache.shape.join() !== [numRows * capacity, elements].join())
  ) {
    throw new RangeError(
      `Cannot write a cache of ${capacity} places a row, seqLen ${seqLen}: shapes must fit, ` +
        `got places ${describe(places)}, ${writes.map((one) => `x ${describe(one.x)}, cache ${describe(one.cache)}`).join(", ")}`,
    );
  }
  if (
    places.dtype !== "u32" ||
    writes.some((one) => one.x.dtype !== x.dtype || one.cache.dtype !== cache.dtype)
  ) {
    throw new TypeError(
      `Cannot write a cache: places must be u32 and both writes stored alike, ` +
        `got places ${describe(places)}, ${writes.map((one) => `x ${describe(one.x)}, cache ${describe(one.cache)}`).join(", ")}`,
    );
  }
  const vector = elements % 4 === 0 ? 4 : 1;
  const length = sizeOf(x.shape) / vector;
  const lanes = lanesOf(tape.variant);
  const dispatch = {
    constants: { ...lanes, vector, storage: storageOf(x), cacheStorage: storageOf(cache) } as const,
    params: { length, width: elements / vector, seqLen, capacity },
    workgroups: laneWorkgroups(lanes, length),
  };
  if (also === undefined) {
    tape.dispatch(writeCacheKernel, { ...dispatch, buffers: { x, places, cache } });
  } else {
    const others = { otherX: also.x, otherCache: also.cache };
    tape.dispatch(writeCachesKernel, { ...dispatch, buffers: { x, places, cache, ...others } });
  }
}
