/**
 * Attention forward for software adapters: the contract of `attentionForward`, computed for `rows`
 * queries and `walked · subgroupSize` keys at a time. The maximum of a query is raised once for all
 * keys of a step, so that its sums are scaled once:
 *
 *     m′ = max(m, max_s score[s])
 *     z′ = z · exp(m − m′) + Σ_s exp(score[s] − m′)
 *     u′ = u · exp(m − m′) + Σ_s exp(score[s] − m′) · v[s]
 *
 * Dao et al., "FlashAttention", 2022, https://arxiv.org/abs/2205.14135
 */
import { FORWARD_BUFFERS } from "./attention.wgsl.ts";
import { ENDS, FIRST_KEY, skipHiddenKeys } from "./attention_spans.wgsl.ts";
import {
  addToSums,
  columnsOf,
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

/** One subgroup a block of queries of one head. */
export const attentionForwardSubgroup: Kernel<
  SubgroupAttentionConstants,
  typeof ATTENTION_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "attentionForwardSubgroup",
  params: ATTENTION_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: (constants) => {
    const { headDim, subgroupSize, rows, walked } = constants;
    const loads = loadsOf(headDim);
    const columns = columnsOf(constants);
    const rowVectors = rowVectorsOf(constants);
    return wgsl`
    ${declarations(constants, FORWARD_BUFFERS)}

    ${subgroupEntryPoint(
      constants,
      "numHeads",
      `
      let kvHead = head / group * ${loads}u;
      ${each(
        rowVectors,
        (g) => `let owned${g} = ((base + own${g}) * params.numHeads + head) * ${loads}u;
      let start${g} = spans[base + own${g}];`,
      )}
      ${ENDS}
      ${FIRST_KEY}
      ${declareColumns(constants)}
      ${declareSums(constants, "sum")}
      ${each(rows, (r) => `let start${r}Of = ${ofRow(constants, "start", r)}; var top${r} = ${MASKED}; var total${r} = 0.0;`)}
      for (var at = firstKey; at <= last; at += ${walked * subgroupSize}u) {
        ${skipHiddenKeys("at")}
        ${each(
          walked,
          (j) => `let key${j} = at + ${j * subgroupSize}u + lane;
        let end${j} = spans[ends + min(key${j}, last)];
        let at${j} = (base + min(key${j}, last)) * dKvHeads + kvHead;`,
        )}
        ${products(constants, [{ name: "score", owned: "q", other: "k" }])}
        ${each(
          rows,
          (r) => `
        ${each(
          walked,
          (
            j,
          ) => `let visible${r}x${j} = (start${r}Of <= key${j}) & (key${j} <= begin + ${r}u) & (begin + ${r}u < end${j});
        score${r}x${j} = select(${MASKED}, score${r}x${j} * ${1 / Math.sqrt(headDim)}, visible${r}x${j});`,
        )}
        let newTop${r} = max(top${r}, greatest(${Array.from({ length: walked }, (_, j) => `score${r}x${j}`).reduce((a, b) => `max(${a}, ${b})`)}));
        let rescale${r} = exp(top${r} - newTop${r});
        top${r} = newTop${r};
        ${each(walked, (j) => `score${r}x${j} = select(0.0, exp(score${r}x${j} - newTop${r}), visible${r}x${j});`)}
        total${r} = fma(total${r}, rescale${r}, ${each(walked, (j) => `score${r}x${j}`, " + ")});
        ${each(columns, (c) => `sum${r}x${c} *= rescale${r};`, " ")}`,
        )}
        ${addToSums(constants, [{ name: "sum", weight: "score", other: "v" }], {
          offset: (at) => `(base + ${at}) * dKvHeads + kvHead`,
          count: "last - at + 1u",
        })}
      }
      ${each(rowVectors, (g) => `var lse${g} = 0.0;`)}
      for (var r = 0u; begin + r <= last; r++) {
        let all = total(total0);
        let scale = select(0.0, 1.0 / all, all > 0.0);
        let lse = select(${MASKED}, top0 + log(all), all > 0.0);
        ${each(rowVectors, (g) => `lse${g} = select(lse${g}, lse, lane + ${g * subgroupSize}u == r);`)}
        let vector = ((base + begin + r) * params.numHeads + head) * ${loads}u;
        ${storeRow(constants, { buffer: "y", vector: "vector", valueOf: (c) => `sum0x${c} * scale` })}
        ${shiftRows(rows, ["total#", "top#", ...sumNames(constants, "sum")])}
      }
      ${each(rowVectors, (g) => `if (lane < ${rows - g * subgroupSize}u && begin + ${g * subgroupSize}u + lane <= last) { statistics[(base + own${g}) * params.numHeads + head] = vec2f(lse${g}, 0.0); }`)}`,
    )}`;
  },
};
