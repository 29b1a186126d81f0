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
import {
  ATTENTION_PARAMS,
  type AttentionConstants,
  dotProduct,
  each,
  enableSubgroups,
  entryPoint,
  loadsOf,
  staging,
  vectorType,
  walk,
} from "./attention_walk.wgsl.ts";
import { storageBindings } from "./elementwise.wgsl.ts";
import { kernel, paramsBinding } from "./kernel.ts";
import { wgsl } from "./wgsl.ts";

const QUERY_BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · seqLen, numKvHeads · headDim]
  v: "read", // as k
  starts: "read", // [numRows · seqLen]
  ends: "read", // [numRows · seqLen]
  y: "read", // as q
  lse: "read", // [numRows · seqLen, numHeads]
  dy: "read", // as q
  delta: "read_write", // as lse
  dq: "read_write", // as q
} as const;

const KEY_BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · seqLen, numKvHeads · headDim]
  v: "read", // as k
  ends: "read", // [numRows · seqLen]
  lse: "read", // [numRows · seqLen, numHeads]
  delta: "read", // as lse
  dy: "read", // as q
  dk: "read_write", // as k
  dv: "read_write", // as k
} as const;

const typeOf = (name: string, element: string): string => {
  if (name === "starts" || name === "ends") return "u32";
  return name === "lse" || name === "delta" ? "f32" : element;
};

/** `dq` and `delta`: one lane a query. */
export const attentionBackwardQuery = kernel({
  name: "attentionBackwardQuery",
  params: ATTENTION_PARAMS,
  buffers: QUERY_BUFFERS,
  code: (constants: AttentionConstants & { readonly accumulate: boolean }) => {
    const { headDim, accumulate } = constants;
    const loads = loadsOf(headDim);
    const scale = 1 / Math.sqrt(headDim);
    return wgsl`
    ${enableSubgroups(constants)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(QUERY_BUFFERS, (name) => typeOf(name, vectorType(headDim)))}
    alias V = ${vectorType(headDim)};
    ${staging(constants)}
    ${entryPoint(
      constants,
      "numHeads",
      `
      let query = ((base + own) * params.numHeads + head) * ${loads}u;
      let kvHead = head / group * ${loads}u;
      ${each(loads, (i) => `let q${i} = q[query + ${i}u] * ${scale};`)}
      ${each(loads, (i) => `let dy${i} = dy[query + ${i}u];`)}
      let ownLse = lse[(base + own) * params.numHeads + head];
      ${dotProduct("ownDelta", headDim, [(i) => `dy${i}`, (i) => `y[query + ${i}u]`])}
      ${each(loads, (i) => `var sum${i} = V();`)}
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
          ${dotProduct("dp", headDim, [(i) => `dy${i}`, v])}
          let ds = select(0.0, exp(score - ownLse) * (dp - ownDelta) * ${scale}, visible);
          ${each(loads, (i) => `sum${i} = fma(V(ds), ${k(i)}, sum${i});`)}`,
      )}
      if (inside) {
        delta[(base + own) * params.numHeads + head] = ownDelta;
        ${each(loads, (i) => `dq[query + ${i}u] ${accumulate ? "+=" : "="} sum${i};`)}
      }`,
    )}`;
  },
});

/** `dk` and `dv`: one lane a key, over all query heads of its group. */
export const attentionBackwardKey = kernel({
  name: "attentionBackwardKey",
  params: ATTENTION_PARAMS,
  buffers: KEY_BUFFERS,
  code: (
    constants: AttentionConstants & {
      readonly accumulateKey: boolean;
      readonly accumulateValue: boolean;
    },
  ) => {
    const { headDim, accumulateKey, accumulateValue } = constants;
    const loads = loadsOf(headDim);
    return wgsl`
    ${enableSubgroups(constants)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(KEY_BUFFERS, (name) => typeOf(name, vectorType(headDim)))}
    alias V = ${vectorType(headDim)};
    ${staging(constants)}
    ${entryPoint(
      constants,
      "numKvHeads",
      `
      let key = ((base + own) * params.numKvHeads + head) * ${loads}u;
      let ownEnd = ends[base + own];
      var blockEnd = 0u;
      for (var at = begin; at <= last; at++) { blockEnd = max(blockEnd, ends[base + at]); }
      blockEnd = min(blockEnd, params.seqLen);
      if (blockEnd <= begin) { blockEnd = begin + 1u; }
      ${each(loads, (i) => `let k${i} = k[key + ${i}u] * ${1 / Math.sqrt(headDim)};`)}
      ${each(loads, (i) => `let v${i} = v[key + ${i}u];`)}
      ${each(loads, (i) => `var dk${i} = V(); var dv${i} = V();`)}
      for (var queryHead = head * group; queryHead < (head + 1u) * group; queryHead++) {
        ${walk(
          constants,
          {
            one: "q",
            two: "dy",
            offset: `(base + at) * dHeads + queryHead * ${loads}u`,
            first: "begin",
            final: "(blockEnd - 1u)",
            skip: false,
          },
          (q, dy) => `
          let visible = own <= at && at < ownEnd;
          let statistics = (base + at) * params.numHeads + queryHead;
          ${dotProduct("score", headDim, [(i) => `k${i}`, q])}
          ${dotProduct("dp", headDim, [(i) => `v${i}`, dy])}
          let p = select(0.0, exp(score - lse[statistics]), visible);
          let ds = p * (dp - delta[statistics]) * ${1 / Math.sqrt(headDim)};
          ${each(loads, (i) => `dk${i} = fma(V(ds), ${q(i)}, dk${i}); dv${i} = fma(V(p), ${dy(i)}, dv${i});`)}`,
        )}
      }
      if (inside) {
        ${each(loads, (i) => `dk[key + ${i}u] ${accumulateKey ? "+=" : "="} dk${i};`)}
        ${each(loads, (i) => `dv[key + ${i}u] ${accumulateValue ? "+=" : "="} dv${i};`)}
      }`,
    )}`;
  },
});
