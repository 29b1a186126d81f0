/**
 * Causal attention over packed rows, with grouped key and value heads, that never stores a matrix
 * of scores; the softmax is normalized online.
 *
 *     score[t, s] = q[t] · k[s] / √headDim      for s ≤ t < ends[s], else masked
 *     lse[t]      = log Σ_s exp(score[t, s])
 *     y[t]        = Σ_s exp(score[t, s] − lse[t]) · v[s]
 *
 * `ends` makes one rule of causal, document and tree masks. A row without a visible key gives zeros.
 *
 * Dao et al., "FlashAttention", 2022, https://arxiv.org/abs/2205.14135
 * Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018,
 * https://arxiv.org/abs/1805.02867
 */
import {
  ATTENTION_PARAMS,
  type AttentionConstants,
  dotProduct,
  each,
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
import { kernel, paramsBinding, type Storage } from "./kernel.ts";
import { wgsl } from "./wgsl.ts";

const BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · seqLen, numKvHeads · headDim]
  v: "read", // as k
  starts: "read", // [numRows · seqLen], ascending within a row: the first key a query may see
  ends: "read", // [numRows · seqLen]: the end of the queries that see a key
  y: "read_write", // as q
  lse: "read_write", // [numRows · seqLen, numHeads]
} as const;

const typeOf = (name: string, element: string): string => {
  if (name === "starts" || name === "ends") return "u32";
  return name === "lse" ? "f32" : element;
};

/** One lane a query, one workgroup a block of queries of one head. */
export const attentionForward = kernel({
  name: "attentionForward",
  params: ATTENTION_PARAMS,
  buffers: BUFFERS,
  code: (constants: AttentionConstants & { readonly storage: Storage }) => {
    const { headDim, storage } = constants;
    const element = storageType(headDim, storage);
    const loads = loadsOf(headDim);
    return wgsl`
    ${enableF16(storage)}
    ${enableSubgroups(constants)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(BUFFERS, (name) => typeOf(name, element))}
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
      ${walk(
        constants,
        {
          one: "k",
          two: "v",
          offset: "(base + at) * dKvHeads + kvHead",
          first: "starts[base + begin]",
          final: "last",
          skip: true,
        },
        (k, v) => `
          let visible = at <= own && own < ends[base + at];
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
        ${each(loads, (i) => `y[query + ${i}u] = ${element}(sum${i} * scale);`)}
        lse[(base + own) * params.numHeads + head] = select(${MASKED}, top + log(total), total > 0.0);
      }`,
    )}`;
  },
});
