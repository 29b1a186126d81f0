/**
 * Combines the parts of decode attention, in the order of the keys.
 *
 *     y = Σ_parts exp(top − max top) · sum / Σ_parts exp(top − max top) · total
 *
 * Only parts of splits that the query may see are read: others were never written.
 */
import { loadsOf, MASKED, storageType, vectorType } from "./attention_walk.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Constants of {@linkcode combineSplits}. */
export interface CombineConstants extends LaneConstants {
  readonly headDim: number;
  /** Storage of `y`; parts are f32. */
  readonly storage: Storage;
}

/** `length`: vectors of `y`; `partsOfSplit`: parts that each split has. */
const PARAMS = {
  length: "u32",
  numHeads: "u32",
  capacity: "u32",
  splitLength: "u32",
  partsOfSplit: "u32",
} as const;

const BUFFERS = {
  sums: "read", // [numTokens, numHeads, numParts, headDim]
  stats: "read", // [numTokens, numHeads, numParts] (top, total)
  places: "read", // [numTokens]; at or beyond capacity: no query
  starts: "read", // [numTokens]
  y: "read_write", // [numTokens, numHeads · headDim]
} as const;

/** One vector of `y` a lane. */
export const combineSplits: Kernel<CombineConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "combineSplits",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ headDim, storage, ...lanes }) => {
    const loads = loadsOf(headDim);
    const types: Readonly<Record<string, string>> = {
      sums: "V",
      stats: "vec2f",
      y: storageType(headDim, storage),
    };
    return wgsl`
    ${enableF16(storage)}
    alias V = ${vectorType(headDim)};
    ${paramsBinding(PARAMS)}
    ${storageBindings(BUFFERS, (name) => types[name] ?? "u32")}

    ${mainOfElements(
      lanes,
      "params.length",
      `let vector = i / ${loads}u;
        let token = vector / params.numHeads;
        let place = places[token];
        let numParts = (params.capacity + params.splitLength - 1u) / params.splitLength * params.partsOfSplit;
        var first = vector * numParts;
        var end = first;
        if (place < params.capacity && starts[token] <= place) {
          first += starts[token] / params.splitLength * params.partsOfSplit;
          end += (place / params.splitLength + 1u) * params.partsOfSplit;
        }
        var top = ${MASKED};
        for (var part = first; part < end; part++) { top = max(top, stats[part].x); }
        var total = 0.0;
        var sum = V();
        for (var part = first; part < end; part++) {
          let rescale = exp(stats[part].x - top);
          total = fma(stats[part].y, rescale, total);
          sum = fma(sums[part * ${loads}u + i % ${loads}u], V(rescale), sum);
        }
        y[i] = ${types["y"]}(sum * select(0.0, 1.0 / total, total > 0.0));`,
    )}`;
  },
};
