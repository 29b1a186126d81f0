/**
 * Gradients of attention for software adapters: the contract of `attentionBackwardQuery` and
 * `attentionBackwardKey`, computed for `rows` queries (or keys) and `walked · subgroupSize` keys (or
 * queries) at a time.
 *
 * Dao, "FlashAttention-2", 2023, https://arxiv.org/abs/2307.08691, section 3.1.2
 */
import { KEY_BUFFERS, QUERY_BUFFERS } from "./attention_backward.wgsl.ts";
import { ENDS, FIRST_KEY, QUERY_END, skipHiddenKeys } from "./attention_spans.wgsl.ts";
import {
  addToSums,
  declarations,
  declareColumns,
  declareSums,
  ofRow,
  products,
  rowVectorsOf,
  shiftRows,
  storeRow,
  type SubgroupAttentionConstants,
  subgroupEntryPoint,
  sumNames,
} from "./attention_subgroup.wgsl.ts";
import { ATTENTION_PARAMS, loadsOf, MASKED } from "./attention_walk.wgsl.ts";
import { type Kernel } from "./kernel.ts";
import { each, wgsl } from "./wgsl.ts";

/** `dq` and `delta`: one subgroup a block of queries of one head. */
export const attentionBackwardQuerySubgroup: Kernel<
  SubgroupAttentionConstants & { readonly accumulate: boolean },
  typeof ATTENTION_PARAMS,
  typeof QUERY_BUFFERS
> = {
  name: "attentionBackwardQuerySubgroup",
  params: ATTENTION_PARAMS,
  buffers: QUERY_BUFFERS,
  code: (constants) => {
    const { headDim, subgroupSize, rows, walked, accumulate } = constants;
    const loads = loadsOf(headDim);
    const scale = 1 / Math.sqrt(headDim);
    return wgsl`
    ${declarations(constants, QUERY_BUFFERS)}

    ${subgroupEntryPoint(
      constants,
      "numHeads",
      `
      let kvHead = head / group * ${loads}u;
      ${ENDS}
      ${FIRST_KEY}
      ${each(
        rowVectorsOf(constants),
        (g) => `let owned${g} = ((base + own${g}) * params.numHeads + head) * ${loads}u;
      let start${g} = spans[base + own${g}];
      let lse${g} = statistics[(base + own${g}) * params.numHeads + head].x;
      var delta${g} = 0.0;
      for (var i = 0u; i < headLoads; i++) {
        delta${g} = product(delta${g}, vec4f(dy[owned${g} + i]), vec4f(y[owned${g} + i]));
      }`,
      )}
      ${declareColumns(constants)}
      ${declareSums(constants, "sum")}
      ${each(rows, (r) => `let start${r}Of = ${ofRow(constants, "start", r)}; let lse${r}Of = ${ofRow(constants, "lse", r)}; let delta${r}Of = ${ofRow(constants, "delta", r)};`)}
      for (var at = firstKey; at <= last; at += ${walked * subgroupSize}u) {
        ${skipHiddenKeys("at")}
        ${each(
          walked,
          (j) => `let key${j} = at + ${j * subgroupSize}u + lane;
        let end${j} = spans[ends + min(key${j}, last)];
        let at${j} = (base + min(key${j}, last)) * dKvHeads + kvHead;`,
        )}
        ${products(constants, [
          { name: "score", owned: "q", other: "k" },
          { name: "dp", owned: "dy", other: "v" },
        ])}
        ${each(rows, (r) =>
          each(
            walked,
            (
              j,
            ) => `let visible${r}x${j} = (start${r}Of <= key${j}) & (key${j} <= begin + ${r}u) & (begin + ${r}u < end${j});
        let p${r}x${j} = exp(select(${MASKED}, fma(score${r}x${j}, ${scale}, -lse${r}Of), visible${r}x${j}));
        score${r}x${j} = select(0.0, p${r}x${j} * (dp${r}x${j} - delta${r}Of) * ${scale}, visible${r}x${j});`,
          ),
        )}
        ${addToSums(constants, [{ name: "sum", weight: "score", other: "k" }], {
          offset: (key) => `(base + ${key}) * dKvHeads + kvHead`,
          count: "last - at + 1u",
        })}
      }
      for (var r = 0u; begin + r <= last; r++) {
        let vector = ((base + begin + r) * params.numHeads + head) * ${loads}u;
        ${storeRow(constants, { buffer: "dq", vector: "vector", valueOf: (c) => `sum0x${c}`, accumulate })}
        ${shiftRows(rows, sumNames(constants, "sum"))}
      }
      ${each(rowVectorsOf(constants), (g) => `if (lane < ${rows - g * subgroupSize}u && begin + ${g * subgroupSize}u + lane <= last) { statistics[(base + own${g}) * params.numHeads + head].y = delta${g}; }`)}`,
    )}`;
  },
};

/** `dk` and `dv`: one subgroup a block of keys, over all query heads of its group. */
export const attentionBackwardKeySubgroup: Kernel<
  SubgroupAttentionConstants & {
    readonly accumulateKey: boolean;
    readonly accumulateValue: boolean;
  },
  typeof ATTENTION_PARAMS,
  typeof KEY_BUFFERS
> = {
  name: "attentionBackwardKeySubgroup",
  params: ATTENTION_PARAMS,
  buffers: KEY_BUFFERS,
  code: (constants) => {
    const { headDim, subgroupSize, rows, walked, accumulateKey, accumulateValue } = constants;
    const loads = loadsOf(headDim);
    const scale = 1 / Math.sqrt(headDim);
    return wgsl`
    ${declarations(constants, KEY_BUFFERS)}

    ${subgroupEntryPoint(
      constants,
      "numKvHeads",
      `
      ${ENDS}
      ${QUERY_END}
      ${each(
        rowVectorsOf(constants),
        (g) => `let owned${g} = ((base + own${g}) * params.numKvHeads + head) * ${loads}u;
      let end${g} = spans[ends + own${g}];`,
      )}
      ${declareColumns(constants)}
      ${declareSums(constants, "dk")}
      ${declareSums(constants, "dv")}
      ${each(rows, (r) => `let end${r}Of = ${ofRow(constants, "end", r)};`)}
      for (var queryHead = head * group; queryHead < (head + 1u) * group; queryHead++) {
        for (var at = begin; at < queryEnd; at += ${walked * subgroupSize}u) {
          ${each(
            walked,
            (j) => `let query${j} = at + ${j * subgroupSize}u + lane;
          let query${j}In = base + min(query${j}, queryEnd - 1u);
          let start${j} = spans[query${j}In];
          let lseAndDelta${j} = statistics[query${j}In * params.numHeads + queryHead];
          let at${j} = query${j}In * dHeads + queryHead * ${loads}u;`,
          )}
          ${products(constants, [
            { name: "score", owned: "k", other: "q" },
            { name: "dp", owned: "v", other: "dy" },
          ])}
          ${each(rows, (r) =>
            each(
              walked,
              (
                j,
              ) => `let visible${r}x${j} = (start${j} <= begin + ${r}u) & (begin + ${r}u <= query${j}) & (query${j} < min(queryEnd, end${r}Of));
          score${r}x${j} = select(0.0, exp(select(${MASKED}, fma(score${r}x${j}, ${scale}, -lseAndDelta${j}.x), visible${r}x${j})), visible${r}x${j});
          dp${r}x${j} = score${r}x${j} * (dp${r}x${j} - lseAndDelta${j}.y) * ${scale};`,
            ),
          )}
          ${addToSums(
            constants,
            [
              { name: "dk", weight: "dp", other: "q" },
              { name: "dv", weight: "score", other: "dy" },
            ],
            {
              offset: (query) => `(base + ${query}) * dHeads + queryHead * ${loads}u`,
              count: "queryEnd - at",
            },
          )}
        }
      }
      for (var r = 0u; begin + r <= last; r++) {
        let vector = ((base + begin + r) * params.numKvHeads + head) * ${loads}u;
        ${storeRow(constants, { buffer: "dk", vector: "vector", valueOf: (c) => `dk0x${c}`, accumulate: accumulateKey })}
        ${storeRow(constants, { buffer: "dv", vector: "vector", valueOf: (c) => `dv0x${c}`, accumulate: accumulateValue })}
        ${shiftRows(rows, [...sumNames(constants, "dk"), ...sumNames(constants, "dv")])}
      }`,
    )}`;
  },
};
