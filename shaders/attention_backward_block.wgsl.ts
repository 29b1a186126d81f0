/**
 * Gradients of causal attention in blocks of queries and keys, for GPUs: the contracts of
 * `attentionBackwardQuery` and `attentionBackwardKey`. With `S` and `dP` as matrices of a block:
 *
 *     P = exp(S − lse)     dP = dy vᵀ     dS = P ∘ (dP − delta) / √headDim
 *     dq += dS k           dk += dSᵀ q    dv += Pᵀ dy
 *
 * The product of scores comes last, so that keys, or queries, that are staged as whole heads still
 * are when they are summed.
 *
 * Dao, "FlashAttention-2", 2023, https://arxiv.org/abs/2307.08691, section 3.1.2
 */
import { KEY_BUFFERS, QUERY_BUFFERS } from "./attention_backward.wgsl.ts";
import {
  addWeighted,
  type AttentionBlockConstants,
  blockEntryPoint,
  blockMemory,
  blockShape,
  columnsOf,
  combineRows,
  declareSums,
  headOf,
  ofRow,
  scoreProduct,
  stageOwned,
  storeSums,
  storeWeights,
} from "./attention_block.wgsl.ts";
import { ENDS, FIRST_KEY, QUERY_END, skipHiddenKeys } from "./attention_spans.wgsl.ts";
import { ATTENTION_PARAMS } from "./attention_walk.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { each, wgsl } from "./wgsl.ts";

const typeOf = (name: string, storage: Storage): string => {
  if (name === "spans") return "u32";
  return name === "statistics" ? "vec2f" : `vec4<${storage}>`;
};

/** `dq` and `delta`: a block of queries of a head a workgroup. */
export const attentionBackwardQueryBlock: Kernel<
  AttentionBlockConstants & { readonly accumulate: boolean },
  typeof ATTENTION_PARAMS,
  typeof QUERY_BUFFERS
> = {
  name: "attentionBackwardQueryBlock",
  params: ATTENTION_PARAMS,
  buffers: QUERY_BUFFERS,
  code: (constants) => {
    const { storage, accumulate } = constants;
    const { down, laneRows, isWhole } = blockShape(constants);
    const ofQuery = headOf(constants, ["numHeads", "head"]);
    const ofKey = headOf(constants, ["numKvHeads", "head / group"]);
    const queries = { from: "q", headOf: ofQuery, into: "left0" };
    const gradients = { from: "dy", headOf: ofQuery, into: "left1" };
    const walked = (from: string) => ({ from, headOf: ofKey });
    return wgsl`
    ${enableF16(storage)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(QUERY_BUFFERS, (name) => typeOf(name, storage))}
    ${blockMemory(constants, "query")}
    ${blockEntryPoint(
      constants,
      "numHeads",
      `
      ${ENDS}
      ${FIRST_KEY}
      ${each(laneRows, (i) => `let start${i} = spans[base + own${i}]; let lse${i} = statistics[(base + own${i}) * params.numHeads + head].x;`)}
      ${isWhole ? [queries, gradients].map((one) => stageOwned(constants, one, one)).join("\n") : ""}
      ${sumDelta(constants, ofQuery)}
      ${declareSums(constants, "sum")}
      for (var tileBegin = firstKey; tileBegin <= last; tileBegin += ${constants.columns}u) {
        ${skipHiddenKeys("tileBegin")}
        ${scoreProduct(constants, "dp", { left: gradients, right: walked("v"), final: "last" })}
        ${scoreProduct(constants, "score", { left: queries, right: walked("k"), final: "last" })}
        ${columnsOf(constants, "last", { end: (at) => `spans[ends + ${at}]` })}
        ${each(laneRows, (i) => weighQuery(constants, i))}
        workgroupBarrier();
        ${addWeighted(constants, "sum", { ...walked("k"), final: "last", isStaged: isWhole })}
      }
      ${storeSums(constants, { from: "dq", headOf: ofQuery, accumulate }, (i, v) => `sum${i}x${v}`)}
      if (laneAcross == 0u) {
        ${each(
          laneRows,
          (i) => `if (begin + laneDown + ${i * down}u <= last) {
          statistics[(base + own${i}) * params.numHeads + head] = vec2f(lse${i}, ${ofRow("delta", i)});
        }`,
        )}
      }`,
    )}`;
  },
};

/** Declares `delta0` …, the products of results and their gradients, of four rows each. */
function sumDelta(constants: AttentionBlockConstants, ofQuery: (at: string) => string): string {
  const { across, loads, laneRows, laneVectors } = blockShape(constants);
  const vector = (i: number, v: number) => {
    const at = `${ofQuery(`own${i}`)} + vector${v}`;
    const product = `dot(vec4f(dy[${at}]), vec4f(y[${at}]))`;
    const isRagged = (v + 1) * across > loads;
    const term = isRagged
      ? `select(0.0, ${product}, laneAcross + ${v * across}u < ${loads}u)`
      : product;
    return `${ofRow("delta", i)} += ${term};`;
  };
  return `${each(laneRows / 4, (part) => `var delta${part} = vec4f();`)}
      ${each(laneRows, (i) => each(laneVectors, (v) => vector(i, v)))}
      ${combineRows(constants, "delta", { memory: "weights", by: (one, two) => `${one} + ${two}` })}`;
}

/** Hands on `dS` of a lane's `i`th query. */
function weighQuery(constants: AttentionBlockConstants, i: number): string {
  const scale = 1 / Math.sqrt(constants.headDim);
  return `{
          let visible = (vec4u(start${i}) <= at) & (at <= vec4u(own${i})) & (vec4u(own${i}) < end);
          let p = select(vec4f(), exp(score${i} * ${scale} - lse${i}), visible);
          ${storeWeights(constants, i, `p * (dp${i} - ${ofRow("delta", i)}) * ${scale}`)}
        }`;
}

/** `dk` and `dv`: a block of keys of a head a workgroup, over all query heads of its group. */
export const attentionBackwardKeyBlock: Kernel<
  AttentionBlockConstants & {
    readonly accumulateKey: boolean;
    readonly accumulateValue: boolean;
  },
  typeof ATTENTION_PARAMS,
  typeof KEY_BUFFERS
> = {
  name: "attentionBackwardKeyBlock",
  params: ATTENTION_PARAMS,
  buffers: KEY_BUFFERS,
  code: (constants) => {
    const { storage, accumulateKey, accumulateValue } = constants;
    const { laneRows, isWhole } = blockShape(constants);
    const ofKey = headOf(constants, ["numKvHeads", "head"]);
    const ofQuery = headOf(constants, ["numHeads", "queryHead"]);
    const keys = { from: "k", headOf: ofKey, into: "left0" };
    const values = { from: "v", headOf: ofKey, into: "left1" };
    const walked = (from: string) => ({ from, headOf: ofQuery });
    const final = "(queryEnd - 1u)";
    return wgsl`
    ${enableF16(storage)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(KEY_BUFFERS, (name) => typeOf(name, storage))}
    ${blockMemory(constants, "key")}
    ${blockEntryPoint(
      constants,
      "numKvHeads",
      `
      ${ENDS}
      ${QUERY_END}
      ${each(laneRows, (i) => `let end${i} = spans[ends + own${i}];`)}
      ${isWhole ? [keys, values].map((one) => stageOwned(constants, one, one)).join("\n") : ""}
      ${declareSums(constants, "dk")}
      ${declareSums(constants, "dv")}
      for (var queryHead = head * group; queryHead < (head + 1u) * group; queryHead++) {
        for (var tileBegin = begin; tileBegin <= ${final}; tileBegin += ${constants.columns}u) {
          ${scoreProduct(constants, "dp", { left: values, right: walked("dy"), final })}
          ${scoreProduct(constants, "score", { left: keys, right: walked("q"), final })}
          ${columnsOf(constants, final, {
            start: (at) => `spans[base + ${at}]`,
            lse: (at) => `statistics[(base + ${at}) * params.numHeads + queryHead].x`,
            delta: (at) => `statistics[(base + ${at}) * params.numHeads + queryHead].y`,
          })}
          ${each(laneRows, (i) => weighKey(constants, i))}
          workgroupBarrier();
          ${addWeighted(constants, "dk", { ...walked("q"), final, isStaged: isWhole })}
          workgroupBarrier();
          ${each(laneRows, (i) => storeWeights(constants, i, `p${i}`))}
          ${addWeighted(constants, "dv", { ...walked("dy"), final, isStaged: false })}
        }
      }
      ${storeSums(constants, { from: "dk", headOf: ofKey, accumulate: accumulateKey }, (i, v) => `dk${i}x${v}`)}
      ${storeSums(constants, { from: "dv", headOf: ofKey, accumulate: accumulateValue }, (i, v) => `dv${i}x${v}`)}`,
    )}`;
  },
};

/** Declares the probabilities `P` of a lane's `i`th key, and hands on its `dS`. */
function weighKey(constants: AttentionBlockConstants, i: number): string {
  const scale = 1 / Math.sqrt(constants.headDim);
  return `let p${i} = select(vec4f(), exp(score${i} * ${scale} - lse),
            (start <= vec4u(own${i})) & (vec4u(own${i}) <= at) & (at < vec4u(min(end${i}, queryEnd))));
          ${storeWeights(constants, i, `p${i} * (dp${i} - delta) * ${scale}`)}`;
}
