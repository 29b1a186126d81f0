/**
 * Causal attention in blocks of queries and keys, for GPUs: the contract of `attentionForward`.
 *
 *     S = q kᵀ / √headDim        P = exp(S − top)        u = exp(old top − top) u + P v
 *
 * The keys and the values of a block take turns in one place of workgroup memory. Every lane holds
 * the top of its rows; sums of weights stay apart, a lane each, until the end.
 *
 * Dao et al., "FlashAttention", 2022, https://arxiv.org/abs/2205.14135
 */
import { FORWARD_BUFFERS } from "./attention.wgsl.ts";
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
import { ENDS, FIRST_KEY, skipHiddenKeys } from "./attention_spans.wgsl.ts";
import { ATTENTION_PARAMS, MASKED } from "./attention_walk.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding } from "./kernel.ts";
import { each, wgsl } from "./wgsl.ts";

/** A block of queries of a head a workgroup. */
export const attentionForwardBlock: Kernel<
  AttentionBlockConstants,
  typeof ATTENTION_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "attentionForwardBlock",
  params: ATTENTION_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: (constants) => {
    const { storage } = constants;
    const { down, laneRows, isWhole } = blockShape(constants);
    const fours = laneRows / 4;
    const queries = { from: "q", headOf: headOf(constants, ["numHeads", "head"]), into: "left0" };
    const ofKey = headOf(constants, ["numKvHeads", "head / group"]);
    const typeOf: Readonly<Record<string, string>> = { spans: "u32", statistics: "vec2f" };
    return wgsl`
    ${enableF16(storage)}
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(FORWARD_BUFFERS, (name) => typeOf[name] ?? `vec4<${storage}>`)}
    ${blockMemory(constants, "forward")}
    ${blockEntryPoint(
      constants,
      "numHeads",
      `
      ${ENDS}
      ${FIRST_KEY}
      ${each(laneRows, (i) => `let start${i} = spans[base + own${i}];`)}
      ${isWhole ? stageOwned(constants, queries, { into: "left0" }) : ""}
      ${declareSums(constants, "sum")}
      ${each(fours, (part) => `var top${part} = vec4f(${MASKED}); var total${part} = vec4f();`)}
      for (var tileBegin = firstKey; tileBegin <= last; tileBegin += ${constants.columns}u) {
        ${skipHiddenKeys("tileBegin")}
        ${scoreProduct(constants, "score", { left: queries, right: { from: "k", headOf: ofKey }, final: "last" })}
        ${weigh(constants)}
        ${addWeighted(constants, "sum", { from: "v", headOf: ofKey, final: "last", isStaged: false })}
      }
      ${combineRows(constants, "total", { memory: "partials", by: (one, two) => `${one} + ${two}` })}
      ${each(fours, (part) => `let scale${part} = select(vec4f(), 1.0 / total${part}, total${part} > vec4f());`)}
      ${storeSums(constants, { ...queries, from: "y" }, (i, v) => `sum${i}x${v} * ${ofRow("scale", i)}`)}
      if (laneAcross == 0u) {
        ${each(
          laneRows,
          (i) => `if (begin + laneDown + ${i * down}u <= last) {
          let lse = select(${MASKED}, ${ofRow("top", i)} + log(${ofRow("total", i)}), ${ofRow("total", i)} > 0.0);
          statistics[(base + own${i}) * params.numHeads + head] = vec2f(lse, 0.0);
        }`,
        )}
      }`,
    )}`;
  },
};

/** Masks scores, finds the new tops, weighs the scores and scales what is summed so far. */
function weigh(constants: AttentionBlockConstants): string {
  const { headDim } = constants;
  const { laneRows, laneVectors } = blockShape(constants);
  const fours = laneRows / 4;
  const most = (i: number) => `max(max(score${i}.x, score${i}.y), max(score${i}.z, score${i}.w))`;
  const weight = (i: number) => `{
          let p = select(vec4f(), exp(score${i} - ${ofRow("newTop", i)}), score${i} > vec4f(${MASKED}));
          ${ofRow("total", i)} = fma(${ofRow("total", i)}, ${ofRow("rescale", i)}, (p.x + p.y) + (p.z + p.w));
          ${storeWeights(constants, i, "p")}
          ${each(laneVectors, (v) => `sum${i}x${v} *= ${ofRow("rescale", i)};`)}
        }`;
  return `${columnsOf(constants, "last", { end: (at) => `spans[ends + ${at}]` })}
        ${each(
          laneRows,
          (i) => `score${i} = select(vec4f(${MASKED}), score${i} * ${1 / Math.sqrt(headDim)},
          (vec4u(start${i}) <= at) & (at <= vec4u(own${i})) & (vec4u(own${i}) < end));`,
        )}
        ${each(fours, (part) => `var newTop${part} = max(top${part}, vec4f(${Array.from({ length: 4 }, (_, i) => most(4 * part + i)).join(", ")}));`)}
        ${combineRows(constants, "newTop", { memory: "partials", by: (one, two) => `max(${one}, ${two})` })}
        ${each(fours, (part) => `let rescale${part} = exp(top${part} - newTop${part}); top${part} = newTop${part};`)}
        ${each(laneRows, weight)}`;
}
