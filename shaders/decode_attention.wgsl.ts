/**
 * Attention of a few queries over a long cache, split over the cache's keys.
 *
 *     part       (top, total, sum) = (max score, Σ exp(score − top), Σ exp(score − top) · v)
 *     combined   y = Σ_parts exp(top − max top) · sum / Σ_parts exp(top − max top) · total
 *
 * A workgroup takes one split of a row's keys and one key head. All query heads of that key head, and
 * all queries of the step, are its pairs; they share every load of `k` and `v`. How many splits there
 * are depends on the capacity alone; those without a visible key end at once. Lane and tile of a key
 * follow from its place, so that the bits of a result depend on what its query sees and on nothing else.
 *
 * Dao et al., "Flash-Decoding for long-context inference", 2023,
 * https://crfm.stanford.edu/2023/10/12/flashdecoding.html
 * Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018,
 * https://arxiv.org/abs/1805.02867
 */
import { loadsOf, storageType, vectorType } from "./attention_walk.wgsl.ts";
import type { CacheStorage } from "./cached_attention.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { paramsBinding } from "./kernel.ts";
import { each } from "./wgsl.ts";

/** Constants of the kernels that compute parts. */
export interface DecodeConstants extends CacheStorage {
  readonly headDim: number;
  /** Pairs of a query and a query head that share a workgroup's loads; at most {@linkcode MAX_PAIRS}. */
  readonly pairs: number;
  readonly workgroupSize: number;
  /** Lanes of a subgroup, equal to `workgroupSize`; 0 for none. Flat only. */
  readonly subgroupSize: number;
  /** Whether a pair has but one part, which is the result: `sums` is then `y`, and no `stats`. */
  readonly direct: boolean;
}

/** The most pairs of a workgroup: the tiled kernel gives each of them 8 of its 64 lanes. */
export const MAX_PAIRS = 8;

/** `splitLength`: keys of a split, a multiple of the workgroup's lanes; `headLoads`: vectors of a head. */
export const DECODE_PARAMS = {
  numRows: "u32",
  seqLen: "u32",
  numHeads: "u32",
  numKvHeads: "u32",
  capacity: "u32",
  splitLength: "u32",
  headLoads: "u32",
} as const;

/** A part is `part` of `numParts` of a query and head: a split, or in the flat variant a lane of one. */
export const DECODE_BUFFERS = {
  q: "read", // [numRows · seqLen, numHeads · headDim]
  k: "read", // [numRows · capacity, numKvHeads · headDim]
  v: "read", // as k
  places: "read", // [numRows · seqLen]; at or beyond capacity: no query
  starts: "read", // [numRows · seqLen]: the first place a query may see
  ends: "read", // [numRows · capacity]: the end of the places whose queries see a key
  sums: "read_write", // [numRows · seqLen, numHeads, numParts, headDim] f32; direct: y, as q
  stats: "read_write", // [numRows · seqLen, numHeads, numParts] (top, total)
} as const;

/** Everything before the entry point; `tiled` reads `v` and writes `sums` by single elements. */
export function declarations(constants: DecodeConstants, tiled: boolean): string {
  const { headDim, storage, cacheStorage, subgroupSize } = constants;
  const vector = (element: "f32" | "f16") => storageType(headDim, element);
  const types: Readonly<Record<string, string>> = {
    q: vector(storage),
    k: vector(cacheStorage),
    v: tiled ? cacheStorage : vector(cacheStorage),
    sums: tiled ? resultType(constants) : vector(resultType(constants)),
    stats: "vec2f",
  };
  return `
    ${enableF16(storage === "f16" ? storage : cacheStorage)}
    ${subgroupSize > 0 ? "enable subgroups;" : ""}
    ${paramsBinding(DECODE_PARAMS)}
    ${storageBindings(DECODE_BUFFERS, (name) => types[name] ?? "u32")}
    alias V = ${vectorType(headDim)};`;
}

/** Element type of `sums`: parts are f32, the result is stored as the queries. */
export function resultType({ direct, storage }: DecodeConstants): "f32" | "f16" {
  return direct ? storage : "f32";
}

/**
 * Entry point: finds the split, row, key head and pairs of this workgroup, then runs `body`, which
 * sees for each pair p `vector`p, the index of its query and head, `start`p, `place`p and `own`p,
 * whether it is not another's repetition; and `first` and `end` of the keys that any pair may see.
 */
export function decodeEntry(
  { headDim, pairs, workgroupSize, subgroupSize, direct }: DecodeConstants,
  body: string,
): string {
  return `
    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${subgroupSize > 0 ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32,
    ) {
      let numSplits = (params.capacity + params.splitLength - 1u) / params.splitLength;
      let group = params.numHeads / params.numKvHeads;
      let numPairs = params.seqLen * group;
      let numChunks = (numPairs + ${pairs - 1}u) / ${pairs}u;
      let index = workgroup.y * grid.x + workgroup.x;
      let split = index % numSplits;
      let kvHead = index / numSplits % params.numKvHeads;
      let chunk = index / numSplits / params.numKvHeads % numChunks;
      let row = index / numSplits / params.numKvHeads / numChunks;
      if (row >= params.numRows) { return; }
      let base = row * params.capacity;
      var least = params.capacity;
      var most = 0u;
      ${each(
        pairs,
        (p) => `
      let own${p} = chunk * ${pairs}u + ${p}u < numPairs;
      let pair${p} = min(chunk * ${pairs}u + ${p}u, numPairs - 1u);
      let token${p} = row * params.seqLen + pair${p} / group;
      let vector${p} = token${p} * params.numHeads + kvHead * group + pair${p} % group;
      let start${p} = starts[token${p}];
      // No key has an end beyond the largest u32, so that padding sees nothing.
      let place${p} = select(0xffffffffu, places[token${p}], places[token${p}] < params.capacity);
      if (place${p} < params.capacity) {
        least = min(least, start${p});
        most = max(most, place${p} + 1u);
      }`,
      )}
      let first = max(split * params.splitLength, least);
      let end = min((split + 1u) * params.splitLength, most);
      ${direct ? "" : "if (first >= end) { return; }"}
      let width = params.numKvHeads * ${loadsOf(headDim)}u;
      let kvOffset = kvHead * ${loadsOf(headDim)}u;
      ${body}
    }`;
}

/** WGSL expression: whether pair `p` sees the key at place `key`, which lies at `at` in the cache. */
export function isVisible(p: number, key: string, at: string): string {
  return `(start${p} <= ${key}) & (${key} <= place${p}) & (place${p} < ends[${at}])`;
}

/** Sum over the elements of one `V`. */
export function sumOf(headDim: number, name: string): string {
  return vectorType(headDim) === "f32"
    ? name
    : `((${name}.x + ${name}.y) + (${name}.z + ${name}.w))`;
}
