/**
 * What stands between the projections of attention and attention over a cache, in one dispatch:
 * queries and keys are normalized head by head where the model does so, and rotated; keys and values
 * go to their places in the cache.
 *
 *     q[token, head]                              = rotate(norm(q[token, head]))      in place
 *     keys[row · capacity + places[token], head]  = rotate(norm(k[token, head]))
 *     values[row · capacity + places[token], head] = v[token, head]
 *
 * Queries, keys and values lie one after another, each whole. A lane takes a head in the flat variant,
 * and a workgroup in the tiled one. The arithmetic is that of `rms_norm.wgsl.ts` and
 * `rotary.wgsl.ts`, so that results have the same bits. In place is safe: a lane writes what it alone
 * reads again, and sums of a head are complete before any of it is written.
 */
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Access, type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import type { RotaryLayout } from "./rotary.wgsl.ts";
import { type RowConstants, walkRows } from "./rows.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Constants of {@linkcode cacheHeadsKernel}. */
export interface CacheHeadsConstants extends RowConstants {
  /** How pairs rotate; `"none"` where positions are learned. */
  readonly layout: RotaryLayout | "none";
  /** Whether queries and keys are normalized. */
  readonly norm: boolean;
  readonly cacheStorage: Storage;
}

/**
 * `numRows`: heads of all tokens from `firstHead` on, which skips those of queries where they stay as
 * they are; `numColumns`: elements of a head.
 */
const PARAMS = {
  numRows: "u32",
  numColumns: "u32",
  numTokens: "u32",
  numHeads: "u32",
  numKvHeads: "u32",
  firstHead: "u32",
  seqLen: "u32",
  capacity: "u32",
  maxSeqLen: "u32",
  eps: "f32",
} as const;

/** Storage buffers, in binding order. */
function buffersOf({ layout, norm }: CacheHeadsConstants): Record<string, Access> {
  return {
    heads: "read_write", // [numTokens, numHeads · headDim], then keys and values: [numTokens, numKvHeads · headDim]
    ...(layout !== "none" && {
      table: "read" as const, // [maxSeqLen, headDim]: cos, sin
      positions: "read" as const, // [numTokens]
    }),
    ...(norm && { queryGain: "read" as const, keyGain: "read" as const }), // [headDim]
    places: "read", // [numTokens]
    keys: "read_write", // [numRows · capacity, numKvHeads · headDim]
    values: "read_write", // as keys
  };
}

/** Declares `a` and `b`: a pair of queries or keys, normalized and rotated; `first`, `second` of it. */
function rotatePair({ layout, norm }: CacheHeadsConstants): string {
  const normed = (i: string) =>
    norm
      ? `heads[origin + ${i}] * r * select(keyGain[${i}], queryGain[${i}], isQuery)`
      : `heads[origin + ${i}]`;
  if (layout === "none") return `let a = ${normed("i")};`;
  return `let first = ${layout === "half" ? "i" : "2u * i"};
            let second = ${layout === "half" ? "i + params.numColumns / 2u" : "2u * i + 1u"};
            let cosine = table[position * params.numColumns + i];
            let sine = table[position * params.numColumns + params.numColumns / 2u + i];
            let a = ${normed("first")};
            let b = ${normed("second")};
            let rotatedA = a * cosine - b * sine;
            let rotatedB = b * cosine + a * sine;`;
}

function code(constants: CacheHeadsConstants): string {
  const { layout, norm, cacheStorage, workgroupSize, variant } = constants;
  const walk = walkRows(constants);
  const rotates = layout !== "none";
  const count = rotates ? "params.numColumns / 2u" : "params.numColumns";
  const [from, step] = variant === "flat" ? ["0u", "1u"] : ["lane", `${workgroupSize}u`];
  const each = (end: string) => `for (var i = ${from}; i < ${end}; i += ${step})`;
  const stored = rotates
    ? [
        ["first", "rotatedA"],
        ["second", "rotatedB"],
      ]
    : [["i", "a"]];
  const typeOf = (name: string) => {
    if (name === "positions" || name === "places") return "u32";
    return name === "keys" || name === "values" ? cacheStorage : "f32";
  };
  return wgsl`
    ${enableF16(cacheStorage)}
    ${paramsBinding(PARAMS)}
    ${storageBindings(buffersOf(constants), typeOf)}

    ${norm ? walk.functions : ""}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      ${walk.begin}
      let headsOfToken = params.numHeads + 2u * params.numKvHeads - params.firstHead;
      let at = begin / params.numColumns;
      let token = at / headsOfToken;
      let head = params.firstHead + at % headsOfToken;
      let isQuery = head < params.numHeads;
      let isKey = !isQuery && head < params.numHeads + params.numKvHeads;
      let kvHead = select(select(head - params.numHeads - params.numKvHeads, head - params.numHeads, isKey), head, isQuery);
      let numKeys = params.numTokens * params.numKvHeads;
      let firstVector = select(params.numTokens * params.numHeads + select(numKeys, 0u, isKey), 0u, isQuery);
      let origin = (firstVector + token * select(params.numKvHeads, params.numHeads, isQuery) + kvHead) * params.numColumns;
      let place = places[token];
      let cached = place < params.capacity;
      let to = ((token / params.seqLen * params.capacity + place) * params.numKvHeads + kvHead) * params.numColumns;
      ${rotates ? "let position = min(positions[token], params.maxSeqLen - 1u);" : ""}
      ${
        norm
          ? `var sumOfSquares = 0.0;
      ${walk.eachColumn} {
        let value = heads[origin + i];
        sumOfSquares = fma(value, value, sumOfSquares);
      }
      let r = inverseSqrt(rowSum(sumOfSquares, lane) / f32(params.numColumns) + params.eps);`
          : ""
      }
      if (!isRow) { return; }
      if (isQuery || isKey) {
        ${each(count)} {
          ${rotatePair(constants)}
          if (isQuery) {
            ${stored.map(([place, value]) => `heads[origin + ${place}] = ${value};`).join(" ")}
          } else if (cached) {
            ${stored.map(([place, value]) => `keys[to + ${place}] = ${cacheStorage}(${value});`).join(" ")}
          }
        }
      } else if (cached) {
        ${each("params.numColumns")} {
          values[to + i] = ${cacheStorage}(heads[origin + i]);
        }
      }
    }`;
}

/** The kernel for a choice of constants; its buffers depend on them. */
export function cacheHeadsKernel(
  constants: CacheHeadsConstants,
): Kernel<CacheHeadsConstants, typeof PARAMS> {
  return { name: "cacheHeads", params: PARAMS, buffers: buffersOf(constants), code };
}
