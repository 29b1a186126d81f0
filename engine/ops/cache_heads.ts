import { cacheHeadsKernel, type CacheHeadsConstants } from "../../shaders/cache_heads.wgsl.ts";
import { rowWorkgroups } from "../../shaders/rows.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";
import type { RotaryLayout } from "./rotary.ts";
import { rowConstants } from "./rows.ts";

/** Inputs of {@linkcode cacheHeads}. */
export interface CacheHeadsInputs {
  /**
   * Queries `[numTokens, numHeads · headDim]`, then keys and then values, `[numTokens, numKvHeads ·
   * headDim]` each: an f32 activation, whose queries are changed in place.
   */
  readonly heads: Tensor;
  /** Cached keys, `[numRows · capacity, numKvHeads · headDim]`, f32 or f16, persistent. */
  readonly keys: Tensor;
  /** Cached values, shaped and stored as the keys. */
  readonly values: Tensor;
  /** Place of each token in its row of the cache, as of `writeCache()`. */
  readonly places: Tensor;
  /** Table and positions of `rotary()`. @default {none: queries and keys stay as they are} */
  readonly rotary?: {
    readonly table: Tensor;
    readonly positions: Tensor;
    readonly layout: RotaryLayout;
  };
  /** Gains `[headDim]` of the norm of each head. @default {none} */
  readonly norms?: { readonly query: Tensor; readonly key: Tensor; readonly eps: number };
}

/** Sizes for {@linkcode cacheHeads}. */
export interface CacheHeadsOptions {
  readonly seqLen: number;
  /** Places that each row of the cache owns. */
  readonly capacity: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

/**
 * Normalizes and rotates queries and keys, and writes keys and values to their places in a cache: what
 * `rmsNorm()`, `rotary()` and `writeCache()` do, in one dispatch and with the same bits. No gradient
 * flows through a cache.
 *
 * @param tape Where to record.
 * @param inputs Heads as projected, and where they go.
 * @param options Sizes.
 * @returns The queries, `[numTokens, numHeads · headDim]`: the beginning of `heads`.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If something is stored as no kernel reads it.
 */
export function cacheHeads(
  tape: Tape,
  inputs: CacheHeadsInputs,
  options: CacheHeadsOptions,
): Tensor {
  const { heads, keys, values, places, rotary, norms } = inputs;
  const { numHeads, numKvHeads, headDim, seqLen, capacity } = options;
  check(inputs, options);
  const numTokens = sizeOf(places.shape);
  const firstHead = rotary === undefined && norms === undefined ? numHeads : 0;
  const numRows = numTokens * (numHeads + 2 * numKvHeads - firstHead);
  const constants: CacheHeadsConstants = {
    ...rowConstants(tape.variant),
    layout: rotary?.layout ?? "none",
    norm: norms !== undefined,
    cacheStorage: storageOf(keys),
  };
  tape.dispatch(cacheHeadsKernel(constants), {
    constants,
    params: {
      numRows,
      numColumns: headDim,
      numTokens,
      numHeads,
      numKvHeads,
      firstHead,
      seqLen,
      capacity,
      maxSeqLen: rotary?.table.shape[0] ?? 1,
      eps: norms?.eps ?? 0,
    },
    buffers: {
      heads,
      keys,
      values,
      places,
      ...(rotary && { table: rotary.table, positions: rotary.positions }),
      ...(norms && { queryGain: norms.query, keyGain: norms.key }),
    },
    workgroups: rowWorkgroups(constants, numRows),
  });
  return {
    shape: [numTokens, numHeads * headDim],
    dtype: heads.dtype,
    purpose: heads.purpose,
    label: "queries",
    needsGradient: false,
    view: { of: heads, byteOffset: 0 },
  };
}

function check(
  { heads, keys, values, places, rotary, norms }: CacheHeadsInputs,
  { seqLen, capacity, numHeads, numKvHeads, headDim }: CacheHeadsOptions,
): void {
  const numTokens = sizeOf(places.shape);
  const numRows = numTokens / seqLen;
  const cacheShape = [numRows * capacity, numKvHeads * headDim].join();
  const got =
    `heads ${describe(heads)}, keys ${describe(keys)}, values ${describe(values)}, places ${describe(places)}` +
    (rotary ? `, table ${describe(rotary.table)}, positions ${describe(rotary.positions)}` : "");
  if (
    !Number.isInteger(numRows) ||
    sizeOf(heads.shape) !== numTokens * (numHeads + 2 * numKvHeads) * headDim ||
    [keys, values].some(({ shape }) => shape.join() !== cacheShape) ||
    (rotary !== undefined &&
      (rotary.table.shape[1] !== headDim ||
        headDim % 2 !== 0 ||
        sizeOf(rotary.positions.shape) !== numTokens)) ||
    (norms !== undefined && [norms.query, norms.key].some(({ shape }) => sizeOf(shape) !== headDim))
  ) {
    throw new RangeError(
      `Cannot cache ${numHeads} heads of ${headDim} and ${numKvHeads} for keys, seqLen ${seqLen}, ` +
        `capacity ${capacity}: shapes must fit, got ${got}`,
    );
  }
  const floats = [heads, rotary?.table, norms?.query, norms?.key];
  if (
    places.dtype !== "u32" ||
    (rotary !== undefined && rotary.positions.dtype !== "u32") ||
    floats.some((tensor) => tensor !== undefined && tensor.dtype !== "f32") ||
    keys.dtype !== values.dtype
  ) {
    throw new TypeError(
      `Cannot cache heads: heads, table and gains must be f32, places and positions u32, keys and ` +
        `values stored alike, got ${got}`,
    );
  }
}
