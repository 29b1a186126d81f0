/**
 * Parts of decode attention on GPUs: a workgroup of 64 lanes walks over its split 64 keys at a time.
 *
 * First each lane owns a key and scores it for all pairs; then each owns some elements of the sums
 * and walks over the 64 keys, so that neighbors load neighboring elements of `v`. Between the two,
 * 8 lanes a pair find the largest score. One barrier stands before each of three arrays is read; the
 * barriers of the other two come between that and its overwriting.
 */
import { loadsOf, MASKED } from "./attention_walk.wgsl.ts";
import {
  DECODE_BUFFERS,
  DECODE_PARAMS,
  decodeEntry,
  type DecodeConstants,
  declarations,
  isVisible,
  resultType,
  sumOf,
} from "./decode_attention.wgsl.ts";
import { type Kernel } from "./kernel.ts";
import { each, wgsl } from "./wgsl.ts";

/** Lanes of a workgroup, and keys of a tile. */
export const DECODE_TILE = 64;

const SEGMENT = 8;

/** Maximum of a pair's 8 segments. */
const topOf = (pair: string): string => {
  const segments = Array.from(
    { length: SEGMENT },
    (_, j) => `segmentTops[${pair} * ${SEGMENT}u + ${j}u]`,
  );
  return segments.reduce((all, one) => `max(${all}, ${one})`);
};

/** Scores a tile of keys, a key a lane, and leaves their weights in workgroup memory. */
function weigh({ headDim, pairs }: DecodeConstants): string {
  const loads = loadsOf(headDim);
  return `
        let key = tile + lane;
        let at = base + min(key, end - 1u);
        let vector = at * width + kvOffset;
        ${each(pairs, (p) => `var products${p} = V();`)}
        for (var i = 0u; i < params.headLoads; i++) {
          let one = V(k[vector + i]);
          ${each(pairs, (p) => `products${p} = fma(queries[${p * loads}u + i], one, products${p});`)}
        }
        ${each(
          pairs,
          (p) => `
        let visible${p} = ${isVisible(p, "key", "at")};
        let score${p} = select(${MASKED}, ${sumOf(headDim, `products${p}`)}, visible${p});
        scores[${p * DECODE_TILE}u + lane] = score${p};`,
        )}
        workgroupBarrier();
        if (lane < ${pairs * SEGMENT}u) {
          var top = ${MASKED};
          for (var j = 0u; j < ${SEGMENT}u; j++) { top = max(top, scores[lane * ${SEGMENT}u + j]); }
          segmentTops[lane] = top;
        }
        workgroupBarrier();
        ${each(
          pairs,
          (p) => `
        top${p} = max(top${p}, ${topOf(`${p}u`)});
        weights[${p * DECODE_TILE}u + lane] = select(0.0, exp(score${p} - top${p}), visible${p});`,
        )}`;
}

/** One workgroup of 64 lanes a split. */
export const decodeAttentionTiled: Kernel<
  DecodeConstants,
  typeof DECODE_PARAMS,
  typeof DECODE_BUFFERS
> = {
  name: "decodeAttentionTiled",
  params: DECODE_PARAMS,
  buffers: DECODE_BUFFERS,
  code: (constants) => {
    const { headDim, pairs, direct } = constants;
    const loads = loadsOf(headDim);
    const elements = Math.ceil((pairs * headDim) / DECODE_TILE); // that a lane owns
    const vectors = Array.from({ length: pairs }, (_, p) => `vector${p}`).join(", ");
    const owns = Array.from({ length: pairs }, (_, p) => `own${p}`).join(", ");
    return wgsl`
    ${declarations(constants, true)}
    var<workgroup> queries: array<V, ${pairs * loads}>;
    var<workgroup> scores: array<f32, ${pairs * DECODE_TILE}>;
    var<workgroup> segmentTops: array<f32, ${pairs * SEGMENT}>;
    var<workgroup> weights: array<f32, ${pairs * DECODE_TILE}>;
    ${decodeEntry(
      constants,
      `
      var vectors = array<u32, ${pairs}>(${vectors});
      var owns = array<bool, ${pairs}>(${owns});
      for (var e = lane; e < ${pairs * loads}u; e += ${DECODE_TILE}u) {
        queries[e] = V(q[vectors[e / ${loads}u] * ${loads}u + e % ${loads}u]) * ${1 / Math.sqrt(headDim)};
      }
      workgroupBarrier();
      ${each(pairs, (p) => `var top${p} = ${MASKED};`)}
      ${each(
        elements,
        (o) => `
      let pairOf${o} = min((${o * DECODE_TILE}u + lane) / ${headDim}u, ${pairs - 1}u);
      let element${o} = (${o * DECODE_TILE}u + lane) % ${headDim}u;
      var topOf${o} = ${MASKED};
      var total${o} = 0.0;
      var sum${o} = 0.0;`,
      )}
      for (var tile = first / ${DECODE_TILE}u * ${DECODE_TILE}u; tile < end; tile += ${DECODE_TILE}u) {
        ${weigh(constants)}
        ${each(
          elements,
          (o) => `
        let newTop${o} = max(topOf${o}, ${topOf(`pairOf${o}`)});
        let rescale${o} = exp(topOf${o} - newTop${o});
        topOf${o} = newTop${o};
        total${o} *= rescale${o};
        sum${o} *= rescale${o};`,
        )}
        workgroupBarrier();
        for (var j = 0u; j < min(${DECODE_TILE}u, end - tile); j++) {
          let row = ((base + tile + j) * params.numKvHeads + kvHead) * ${headDim}u;
          ${each(
            elements,
            (o) => `{
            let weight = weights[pairOf${o} * ${DECODE_TILE}u + j];
            total${o} += weight;
            sum${o} = fma(weight, f32(v[row + element${o}]), sum${o});
          }`,
          )}
        }
      }
      ${each(
        elements,
        (o) => `
      if (${o * DECODE_TILE}u + lane < ${pairs * headDim}u && owns[pairOf${o}]) {
        let to = vectors[pairOf${o}]${direct ? "" : " * numSplits + split"};
        ${direct ? "" : `if (element${o} == 0u) { stats[to] = vec2f(topOf${o}, total${o}); }`}
        let scale = ${direct ? `select(0.0, 1.0 / total${o}, total${o} > 0.0)` : "1.0"};
        sums[to * ${headDim}u + element${o}] = ${resultType(constants)}(sum${o} * scale);
      }`,
      )}`,
    )}`;
  },
};
