/**
 * Causal attention over packed rows, with grouped key and value heads, that never stores a matrix
 * of scores; the softmax is normalized online.
 *
 *     score[t, s] = q[t] · k[s] / √headDim      for starts[t] ≤ s ≤ t < ends[s], else masked
 *     lse[t]      = log Σ_s exp(score[t, s])
 *     y[t]        = Σ_s exp(score[t, s] − lse[t]) · v[s]
 *
 * `ends` makes one rule of causal, document and tree masks, `starts` adds sliding windows. A query
 * without a visible key gives zeros.
 *
 * Dao et al., "FlashAttention", 2022, https://arxiv.org/abs/2205.14135
 * Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018,
 * https://arxiv.org/abs/1805.02867
 */
import { ENDS, FIRST_KEY, skipHiddenKeys } from "./attention_spans.wgsl.ts";
import {
  ATTENTION_PARAMS,
  type AttentionConstants,
  dotProduct,
  enableSubgroups,
  entryPoint,
  loadsOf,
  MASKED,
  staging,
  storageType,
  storeVector,
  vectorType,
  walk,
} from "./attention_walk.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { each, wgsl } from "./wgsl.ts";

/** Buffers of the kernels of the forward pass. */
export const FORWARD_BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · seqLen, numKvHeads · headDim]
  v: "read", // as k
  spans: "read", // what attentionSpans wrote
  y: "read_write", // as q
  statistics: "read_write", // [numRows · seqLen, numHeads]: lse, and room for delta
} as const;

const typeOf = (name: string, element: string): string => {
  if (name === "spans") return "u32";
  return name === "statistics" ? "vec2f" : element;
};

/** One lane a query, one workgroup a block of queries of one head. */
export const attentionForward: Kernel<
  AttentionConstants & { readonly storage: Storage },
  typeof ATTENTION_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "attentionForward",
  params: ATTENTION_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: (constants) => {
    const { headDim, storage } = constants;
    const element = storageType(headDim, storage);
    const loads = loadsOf(headDim);
    return wgsl`
    ${enableF16(storage)}
    ${enableSubgroups(constants)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(FORWARD_BUFFERS, (name) => typeOf(name, element))}
    alias V = ${vectorType(headDim)};
    ${staging(constants)}
    ${entryPoint(
      constants,
      "numHeads",
      `
      let query = ((base + own) * params.numHeads + head) * ${loads}u;
      let kvHead = head / group * ${loads}u;
      let ownStart = spans[base + own];
      ${ENDS}
      ${FIRST_KEY}
      ${each(loads, (i) => `let q${i} = V(q[query + ${i}u]) * ${1 / Math.sqrt(headDim)};`)}
      ${each(loads, (i) => `var sum${i} = V();`)}
      var top = ${MASKED};
      var total = 0.0;
      ${walk(
        constants,
        {
          one: "k",
          two: "v",
          offset: "(base + at) * dKvHeads + kvHead",
          first: "firstKey",
          final: "last",
          skip: skipHiddenKeys,
        },
        (k, v) => `
          let visible = ownStart <= at && at <= own && own < spans[ends + at];
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
        ${each(loads, (i) => storeVector(`y[query + ${i}u]`, `sum${i} * scale`, { element }))}
        let lse = select(${MASKED}, top + log(total), total > 0.0);
        statistics[(base + own) * params.numHeads + head] = vec2f(lse, 0.0);
      }`,
    )}`;
  },
};
