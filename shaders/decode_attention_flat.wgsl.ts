/**
 * Parts of decode attention on software adapters: no workgroup memory, no barriers.
 *
 * Each lane takes every `workgroupSize`-th key of the split and keeps a maximum, a total and a sum
 * of its own. Where the workgroup is one subgroup, the lanes add up to one part; else each lane's is
 * a part. Small heads are unrolled. Wide ones loop up to a count that the compiler does not know, or
 * it would unroll them too: at a width of 64 that takes 11 s on Mesa's driver instead of 0.4 s, for
 * code that is no faster.
 */
import { loadsOf, MASKED, storageType } from "./attention_walk.wgsl.ts";
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

/** Loads of all pairs up to which loops over a head are unrolled. */
const UNROLLED_LOADS = 8;

/** Statements that run `body` for every load of a head. */
function overHead(
  { headDim, pairs }: DecodeConstants,
  body: (i: string, at: (p: number) => string) => string,
): string {
  const loads = loadsOf(headDim);
  if (loads * pairs <= UNROLLED_LOADS) {
    return each(loads, (i) => `{ ${body(`${i}u`, (p) => `sum[${p * loads + i}]`)} }`);
  }
  return `for (var i = 0u; i < params.headLoads; i++) {
        ${body("i", (p) => `sum[${p * loads}u + i]`)}
      }`;
}

/** Stores what the lanes have found: one part, one part a lane, or the result. */
function store(constants: DecodeConstants): string {
  const { headDim, pairs, workgroupSize, subgroupSize, direct } = constants;
  const type = storageType(headDim, resultType(constants));
  if (subgroupSize === 0) {
    return `let part = split * ${workgroupSize}u + lane;
      let numParts = numSplits * ${workgroupSize}u;
      ${each(
        pairs,
        (p) => `if (own${p}) {
        let to = vector${p} * numParts + part;
        stats[to] = vec2f(top${p}, total${p});
        ${overHead(constants, (i, at) => `sums[to * params.headLoads + ${i}] = ${at(p)};`)}
      }`,
      )}`;
  }
  return each(
    pairs,
    (p) => `{
        let top = subgroupMax(top${p});
        let rescale = exp(top${p} - top);
        let total = subgroupAdd(total${p} * rescale);
        let scale = ${direct ? "select(0.0, 1.0 / total, total > 0.0)" : "1.0"};
        let to = vector${p}${direct ? "" : " * numSplits + split"};
        let writes = own${p} & (lane == 0u);
        ${direct ? "" : `if (writes) { stats[to] = vec2f(top, total); }`}
        ${overHead(
          constants,
          (i, at) => `let all = subgroupAdd(${at(p)} * rescale) * scale;
        if (writes) { sums[to * params.headLoads + ${i}] = ${type}(all); }`,
        )}
      }`,
  );
}

/** One workgroup of a few lanes a split. */
export const decodeAttentionFlat: Kernel<
  DecodeConstants,
  typeof DECODE_PARAMS,
  typeof DECODE_BUFFERS
> = {
  name: "decodeAttentionFlat",
  params: DECODE_PARAMS,
  buffers: DECODE_BUFFERS,
  code: (constants) => {
    const { headDim, pairs, workgroupSize } = constants;
    const loads = loadsOf(headDim);
    return wgsl`
    ${declarations(constants, false)}
    ${decodeEntry(
      constants,
      `
      var sum: array<V, ${pairs * loads}>;
      ${each(pairs, (p) => `var top${p} = ${MASKED}; var total${p} = 0.0;`)}
      for (var block = first / ${workgroupSize}u * ${workgroupSize}u; block < end; block += ${workgroupSize}u) {
        let key = block + lane;
        let at = base + min(key, end - 1u);
        let vector = at * width + kvOffset;
        ${each(pairs, (p) => `var products${p} = V();`)}
        ${overHead(
          constants,
          (i) => `let one = V(k[vector + ${i}]);
          ${each(pairs, (p) => `products${p} = fma(V(q[vector${p} * params.headLoads + ${i}]), one, products${p});`)}`,
        )}
        ${each(
          pairs,
          (p) => `
        let visible${p} = ${isVisible(p, "key", "at")};
        let score${p} = ${sumOf(headDim, `products${p}`)} * ${1 / Math.sqrt(headDim)};
        let newTop${p} = select(top${p}, max(top${p}, score${p}), visible${p});
        let rescale${p} = exp(top${p} - newTop${p});
        let p${p} = select(0.0, exp(score${p} - newTop${p}), visible${p});
        top${p} = newTop${p};
        total${p} = fma(total${p}, rescale${p}, p${p});`,
        )}
        ${overHead(
          constants,
          (i, at) => `let one = V(v[vector + ${i}]);
          ${each(pairs, (p) => `${at(p)} = fma(V(p${p}), one, ${at(p)} * rescale${p});`)}`,
        )}
      }
      ${store(constants)}`,
    )}`;
  },
};
