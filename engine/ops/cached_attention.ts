import { cachedAttentionKernel } from "../../shaders/cached_attention.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";
import { recordDecode } from "./decode_attention.ts";

export {
  type CacheWrite,
  writeCache,
  type WriteCacheInputs,
  type WriteCacheOptions,
} from "./write_cache.ts";

/** Inputs of {@linkcode cachedAttention}. */
export interface CachedAttentionInputs {
  /** Queries, `[numRows · seqLen, numHeads · headDim]`, f32 or f16. */
  readonly q: Tensor;
  /** Cached keys, `[numRows · capacity, numKvHeads · headDim]`, f32 or f16. */
  readonly k: Tensor;
  /** Cached values, shaped and stored as `k`. */
  readonly v: Tensor;
  /**
   * Place of each query in its row of the cache, `[numRows · seqLen]` u32; one at or beyond the
   * capacity (0xffffffff for padding) is no query.
   */
  readonly places: Tensor;
  /** First place that each query may see, `[numRows · seqLen]` u32. */
  readonly starts: Tensor;
  /**
   * End of the places whose queries see each key, `[numRows · capacity]` u32: 0xffffffff in plain
   * text, ends of subtrees in trees. The spans `[s, ends[s])` of a row must nest or be apart.
   */
  readonly ends: Tensor;
}

/** Sizes for {@linkcode cachedAttention}. */
export interface CachedAttentionOptions {
  /** Queries of each row. */
  readonly seqLen: number;
  /** Places that each row of the cache owns. */
  readonly capacity: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
}

/** Up to so many queries of a row are taken together over splits of the keys. */
const DECODE_QUERIES = 4;
const FLAT_LANES = 8;
const TILED_LANES = 64;
/** Bytes of workgroup memory that every WebGPU adapter has. */
const WORKGROUP_BYTES = 16_384;

/**
 * Attention of new queries over a cache of keys and values.
 *
 *     y[t] = Σ_s softmax_s(q[t] · k[s] / √headDim) · v[s]    over starts[t] ≤ s ≤ places[t] < ends[s]
 *
 * Up to 4 queries a row are taken together, and split over the keys, as decoding wants it; more are
 * walked over in blocks, as a prompt or a tree wants it. Both round differently, at 1e-6 or so. A
 * query's bits depend on what it sees, and on the capacity and sizes, but not on other rows, on other
 * queries or on padding. Where a query lies is data, so that one plan serves all positions. Forward
 * only: no gradient flows through a cache.
 *
 * @see {@link https://crfm.stanford.edu/2023/10/12/flashdecoding.html | Dao et al., "Flash-Decoding", 2023}
 * @see {@link https://arxiv.org/abs/2305.13245 | Ainslie et al., "GQA", 2023}
 *
 * @param tape Where to record.
 * @param inputs Queries, cache, and who sees whom; keys and values of the queries themselves must be
 *   in the cache already, see `writeCache()`.
 * @param options Sizes.
 * @returns Shaped and stored as `q`; zeros where a query sees no key, and for padding.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If places, starts and ends are not u32, or `k` and `v` not stored alike.
 */
export function cachedAttention(
  tape: Tape,
  inputs: CachedAttentionInputs,
  options: CachedAttentionOptions,
): Tensor {
  const numRows = check(inputs, options);
  const { q } = inputs;
  const y = tape.activation(q.shape, { label: "cached attention", dtype: q.dtype });
  const call = { ...options, ...inputs, y, numRows };
  if (options.seqLen <= DECODE_QUERIES) recordDecode(tape, call);
  else recordWalk(tape, call);
  return y;
}

/** A call whose sizes fit, and where its result goes. */
export interface CachedCall extends CachedAttentionInputs, CachedAttentionOptions {
  readonly y: Tensor;
  readonly numRows: number;
}

/** One workgroup a block of queries, which walks over the keys. */
function recordWalk(tape: Tape, call: CachedCall): void {
  const { q, k, v, places, starts, ends, y, numRows, seqLen, capacity } = call;
  const { numHeads, numKvHeads, headDim } = call;
  const tiled = tape.variant === "tiled";
  const subgroupSize = tiled ? 0 : tape.subgroupSize;
  const workgroupSize = tiled ? TILED_LANES : subgroupSize > 0 ? subgroupSize : FLAT_LANES;
  const tile = tiled ? Math.min(32, Math.floor(WORKGROUP_BYTES / (8 * headDim))) : 0;
  tape.dispatch(cachedAttentionKernel, {
    constants: { headDim, workgroupSize, tile, subgroupSize, ...storages(call) },
    params: { numRows, seqLen, numHeads, numKvHeads, capacity },
    buffers: { q, k, v, places, starts, ends, y },
    workgroups: numRows * Math.ceil(seqLen / workgroupSize) * numHeads,
  });
}

function storages({ q, k }: CachedCall) {
  return { storage: storageOf(q), cacheStorage: storageOf(k) } as const;
}

/** Number of rows; throws where anything does not fit. */
function check(
  { q, k, v, places, starts, ends }: CachedAttentionInputs,
  { seqLen, capacity, numHeads, numKvHeads, headDim }: CachedAttentionOptions,
): number {
  const numTokens = sizeOf(q.shape) / (numHeads * headDim);
  const numRows = numTokens / seqLen;
  const cacheShape = [numRows * capacity, numKvHeads * headDim].join();
  const got =
    `q ${describe(q)}, k ${describe(k)}, v ${describe(v)}, places ${describe(places)}, ` +
    `starts ${describe(starts)}, ends ${describe(ends)}`;
  if (
    !Number.isInteger(numRows) ||
    !Number.isInteger(numHeads / numKvHeads) ||
    [k, v].some(({ shape }) => shape.join() !== cacheShape) ||
    [places, starts].some(({ shape }) => sizeOf(shape) !== numTokens) ||
    sizeOf(ends.shape) !== numRows * capacity
  ) {
    throw new RangeError(
      `Cannot apply cachedAttention() with ${numHeads} heads of ${headDim} and ${numKvHeads} for keys, ` +
        `seqLen ${seqLen}, capacity ${capacity}: shapes must fit, got ${got}`,
    );
  }
  if (k.dtype !== v.dtype || [places, starts, ends].some(({ dtype }) => dtype !== "u32")) {
    throw new TypeError(
      `Cannot apply cachedAttention(): k and v must be stored alike, places, starts and ends be u32, got ${got}`,
    );
  }
  return numRows;
}
