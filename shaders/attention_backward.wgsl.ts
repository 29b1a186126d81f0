/**
 * Gradients of causal attention, recomputing the probabilities from one log-sum-exp per row:
 *
 *     p[t, s]  = exp(score[t, s] − lse[t])          score[t, s] = q[t] · k[s] / √headDim
 *     delta[t] = dy[t] · y[t]
 *     ds[t, s] = p[t, s] · (dy[t] · v[s] − delta[t]) / √headDim
 *     dq[t] = Σ_s ds[t, s] · k[s]     dk[s] = Σ_t ds[t, s] · q[t]     dv[s] = Σ_t p[t, s] · dy[t]
 *
 * Two kernels, so that nothing is added atomically: one owns queries, the other keys.
 *
 * Dao, "FlashAttention-2", 2023, https://arxiv.org/abs/2307.08691, section 3.1.2
 */
import { ENDS, FIRST_KEY, QUERY_END, skipHiddenKeys } from "./attention_spans.wgsl.ts";
import {
  ATTENTION_PARAMS,
  type AttentionConstants,
  dotProduct,
  enableSubgroups,
  entryPoint,
  loadsOf,
  staging,
  storageType,
  storeVector,
  vectorType,
  walk,
} from "./attention_walk.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { each, wgsl } from "./wgsl.ts";

/** Buffers of the kernels that own queries. */
export const QUERY_BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · seqLen, numKvHeads · headDim]
  v: "read", // as k
  spans: "read", // what attentionSpans wrote
  y: "read", // as q
  dy: "read", // as q
  statistics: "read_write", // [numRows · seqLen, numHeads]: lse; writes delta beside it
  dq: "read_write", // as q
} as const;

/** Buffers of the kernels that own keys. */
export const KEY_BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · seqLen, numKvHeads · headDim]
  v: "read", // as k
  spans: "read", // what attentionSpans wrote
  dy: "read", // as q
  statistics: "read", // [numRows · seqLen, numHeads]: lse, delta
  dk: "read_write", // as k
  dv: "read_write", // as k
} as const;

const typeOf = (name: string, element: string): string => {
  if (name === "spans") return "u32";
  return name === "statistics" ? "vec2f" : element;
};

type BackwardConstants = AttentionConstants & { readonly storage: Storage };

/** `dq` and `delta`: one lane a query. */
export const attentionBackwardQuery: Kernel<
  BackwardConstants & { readonly accumulate: boolean },
  typeof ATTENTION_PARAMS,
  typeof QUERY_BUFFERS
> = {
  name: "attentionBackwardQuery",
  params: ATTENTION_PARAMS,
  buffers: QUERY_BUFFERS,
  code: (constants) => {
    const { headDim, storage, accumulate } = constants;
    const element = storageType(headDim, storage);
    const loads = loadsOf(headDim);
    const scale = 1 / Math.sqrt(headDim);
    return wgsl`
    ${enableF16(storage)}
    ${enableSubgroups(constants)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(QUERY_BUFFERS, (name) => typeOf(name, element))}
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
      ${each(loads, (i) => `let q${i} = V(q[query + ${i}u]) * ${scale};`)}
      ${each(loads, (i) => `let dy${i} = V(dy[query + ${i}u]);`)}
      let ownLse = statistics[(base + own) * params.numHeads + head].x;
      ${dotProduct("ownDelta", headDim, [(i) => `dy${i}`, (i) => `V(y[query + ${i}u])`])}
      ${each(loads, (i) => `var sum${i} = V();`)}
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
          ${dotProduct("dp", headDim, [(i) => `dy${i}`, v])}
          let ds = select(0.0, exp(score - ownLse) * (dp - ownDelta) * ${scale}, visible);
          ${each(loads, (i) => `sum${i} = fma(V(ds), ${k(i)}, sum${i});`)}`,
      )}
      if (inside) {
        statistics[(base + own) * params.numHeads + head].y = ownDelta;
        ${each(loads, (i) => storeVector(`dq[query + ${i}u]`, `sum${i}`, { element, accumulate }))}
      }`,
    )}`;
  },
};

/** `dk` and `dv`: one lane a key, over all query heads of its group. */
export const attentionBackwardKey: Kernel<
  BackwardConstants & {
    readonly accumulateKey: boolean;
    readonly accumulateValue: boolean;
  },
  typeof ATTENTION_PARAMS,
  typeof KEY_BUFFERS
> = {
  name: "attentionBackwardKey",
  params: ATTENTION_PARAMS,
  buffers: KEY_BUFFERS,
  code: (constants) => {
    const { headDim, storage, accumulateKey, accumulateValue } = constants;
    const element = storageType(headDim, storage);
    const loads = loadsOf(headDim);
    return wgsl`
    ${enableF16(storage)}
    ${enableSubgroups(constants)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(KEY_BUFFERS, (name) => typeOf(name, element))}
    alias V = ${vectorType(headDim)};
    ${staging(constants)}
    ${entryPoint(
      constants,
      "numKvHeads",
      `
      let key = ((base + own) * params.numKvHeads + head) * ${loads}u;
      ${ENDS}
      let ownEnd = spans[ends + own];
      ${QUERY_END}
      ${each(loads, (i) => `let k${i} = V(k[key + ${i}u]) * ${1 / Math.sqrt(headDim)};`)}
      ${each(loads, (i) => `let v${i} = V(v[key + ${i}u]);`)}
      ${each(loads, (i) => `var dk${i} = V(); var dv${i} = V();`)}
      for (var queryHead = head * group; queryHead < (head + 1u) * group; queryHead++) {
        ${walk(
          constants,
          {
            one: "q",
            two: "dy",
            offset: `(base + at) * dHeads + queryHead * ${loads}u`,
            first: "begin",
            final: "(queryEnd - 1u)",
          },
          (q, dy) => `
          let visible = spans[base + at] <= own && own <= at && at < ownEnd;
          let lseAndDelta = statistics[(base + at) * params.numHeads + queryHead];
          ${dotProduct("score", headDim, [(i) => `k${i}`, q])}
          ${dotProduct("dp", headDim, [(i) => `v${i}`, dy])}
          let p = select(0.0, exp(score - lseAndDelta.x), visible);
          let ds = p * (dp - lseAndDelta.y) * ${1 / Math.sqrt(headDim)};
          ${each(loads, (i) => `dk${i} = fma(V(ds), ${q(i)}, dk${i}); dv${i} = fma(V(p), ${dy(i)}, dv${i});`)}`,
        )}
      }
      if (inside) {
        ${each(loads, (i) => storeVector(`dk[key + ${i}u]`, `dk${i}`, { element, accumulate: accumulateKey }))}
        ${each(loads, (i) => storeVector(`dv[key + ${i}u]`, `dv${i}`, { element, accumulate: accumulateValue }))}
      }`,
    )}`;
  },
};
