/**
 * Attention of many queries over a cache of keys and values, normalized online as in attention.
 *
 *     score[t, s] = q[t] · k[s] / √headDim      for starts[t] ≤ s ≤ places[t] < ends[s], else masked
 *     y[t]        = Σ_s softmax_s(score[t, s]) · v[s]
 *
 * `t` counts the queries of this call, `s` the places of the row's cache; `places[t]` is where query
 * `t` itself lies. The walk of a block of queries begins at the least of their starts and ends at
 * the largest of their places; keys that it passes for the sake of other queries add exact zeros.
 *
 * Dao et al., "FlashAttention", 2022, https://arxiv.org/abs/2205.14135
 */
import {
  type AttentionConstants,
  dotProduct,
  enableSubgroups,
  entryPoint,
  loadsOf,
  MASKED,
  staging,
  storageType,
  vectorType,
  walk,
} from "./attention_walk.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { each, wgsl } from "./wgsl.ts";

/** How queries and caches are stored; sums are in f32. */
export interface CacheStorage {
  /** Storage of `q` and `y`. */
  readonly storage: Storage;
  /** Storage of `k` and `v`. */
  readonly cacheStorage: Storage;
}

const PARAMS = {
  numRows: "u32",
  seqLen: "u32",
  numHeads: "u32",
  numKvHeads: "u32",
  capacity: "u32",
} as const;

const BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · capacity, numKvHeads · headDim]
  v: "read", // as k
  places: "read", // [numRows · seqLen]; at or beyond capacity: no query
  starts: "read", // [numRows · seqLen]: the first place a query may see
  ends: "read", // [numRows · capacity]: the end of the places whose queries see a key
  y: "read_write", // as q
} as const;

/** Crosses a tree from sibling to sibling: a key whose span is over before the block hides its subtree. */
function skipHiddenKeys(at: string): string {
  return `while (${at} < firstPlace && ends[cache + ${at}] <= firstPlace) { ${at} = max(${at} + 1u, ends[cache + ${at}]); }`;
}

/** One lane a query, one workgroup a block of queries of one head. */
export const cachedAttentionKernel: Kernel<
  AttentionConstants & CacheStorage,
  typeof PARAMS,
  typeof BUFFERS
> = {
  name: "cachedAttention",
  params: PARAMS,
  buffers: BUFFERS,
  code: (constants) => {
    const { headDim, storage, cacheStorage } = constants;
    const loads = loadsOf(headDim);
    const typeOf = (name: string) => {
      if (name === "q" || name === "y") return storageType(headDim, storage);
      return name === "k" || name === "v" ? storageType(headDim, cacheStorage) : "u32";
    };
    return wgsl`
    ${enableF16(storage === "f16" ? storage : cacheStorage)}
    ${enableSubgroups(constants)}
    ${paramsBinding(PARAMS)}
    ${storageBindings(BUFFERS, typeOf)}
    alias V = ${vectorType(headDim)};
    ${staging(constants)}
    ${entryPoint(
      constants,
      "numHeads",
      `
      let query = ((base + own) * params.numHeads + head) * ${loads}u;
      let kvHead = head / group * ${loads}u;
      ${each(loads, (i) => `let q${i} = V(q[query + ${i}u]) * ${1 / Math.sqrt(headDim)};`)}
      ${each(loads, (i) => `var sum${i} = V();`)}
      var top = ${MASKED};
      var total = 0.0;
      var firstKey = params.capacity;
      var firstPlace = params.capacity;
      var lastPlace = 0u;
      for (var t = begin; t <= last; t++) {
        let place = places[base + t];
        if (place < params.capacity) {
          firstKey = min(firstKey, starts[base + t]);
          firstPlace = min(firstPlace, place);
          lastPlace = max(lastPlace, place);
        }
      }
      let start = starts[base + own];
      let ownPlace = places[base + own];
      // No key has an end beyond the largest u32, so that padding sees nothing.
      let place = select(0xffffffffu, ownPlace, ownPlace < params.capacity);
      let cache = row * params.capacity;
      ${walk(
        constants,
        {
          one: "k",
          two: "v",
          offset: "(cache + at) * dKvHeads + kvHead",
          first: "firstKey",
          final: "lastPlace",
          skip: skipHiddenKeys,
        },
        (k, v) => `
          let visible = start <= at && at <= place && place < ends[cache + at];
          ${dotProduct("score", headDim, [(i) => `q${i}`, k])}
          let newTop = select(top, max(top, score), visible);
          let rescale = exp(top - newTop);
          let p = select(0.0, exp(score - newTop), visible);
          top = newTop;
          total = fma(total, rescale, p);
          ${each(loads, (i) => `sum${i} = fma(V(p), ${v(i)}, sum${i} * rescale);`)}`,
      )}
      if (inside) {
        let scale = select(0.0, 1.0 / total, total > 0.0);
        ${each(loads, (i) => `y[query + ${i}u] = ${storageType(headDim, storage)}(sum${i} * scale);`)}
      }`,
    )}`;
  },
};
