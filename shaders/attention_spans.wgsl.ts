/**
 * Who sees whom in attention: key `s` is visible to query `t` where
 *
 *     starts[t] ≤ s ≤ t < ends[s]
 *
 * This kernel lays what the attention kernels read of it into one buffer, so that they bind no more
 * buffers than every WebGPU device has: `starts`, then `ends`, then the least start of every chunk
 * of queries, by which the walk of a key knows that no window of a later query reaches back to it.
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { type LaneConstants, mainOfElements } from "./lanes.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Queries of a chunk, of which the least start is kept. */
const CHUNK = 32;

const PARAMS = { numRows: "u32", seqLen: "u32" } as const;

/** Chunks of queries of one row. */
export function chunksOfQueries(seqLen: number): number {
  return Math.ceil(seqLen / CHUNK);
}

const BUFFERS = {
  starts: "read", // [numRows · seqLen]: the first key that a query sees
  ends: "read", // [numRows · seqLen]: the end of the queries that see a key
  spans: "read_write", // [numRows · seqLen] twice, then [numRows, chunks]
} as const;

/** `starts` and `ends` → `spans`, one lane a chunk. */
export const attentionSpans: Kernel<LaneConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "attentionSpans",
  params: PARAMS,
  buffers: BUFFERS,
  code: (lanes) => wgsl`
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> starts: array<u32>;
    @group(0) @binding(2) var<storage, read> ends: array<u32>;
    @group(0) @binding(3) var<storage, read_write> spans: array<u32>;

    ${mainOfElements(
      lanes,
      `params.numRows * ((params.seqLen + ${CHUNK - 1}u) / ${CHUNK}u)`,
      `let numTokens = params.numRows * params.seqLen;
        let chunks = (params.seqLen + ${CHUNK - 1}u) / ${CHUNK}u;
        let row = i / chunks;
        let first = row * params.seqLen + i % chunks * ${CHUNK}u;
        let last = min(first + ${CHUNK}u, (row + 1u) * params.seqLen) - 1u;
        var least = params.seqLen;
        for (var t = first; t <= last; t++) {
          spans[t] = starts[t];
          spans[numTokens + t] = ends[t];
          least = min(least, starts[t]);
        }
        spans[2u * numTokens + i] = least;`,
    )}`,
};

/** Declares where in `spans` the ends of the row's keys begin; its starts begin at `base`. */
export const ENDS = "let ends = params.numRows * params.seqLen + base;";

/** Declares `firstKey`: no query of the workgroup sees a key before it. */
export const FIRST_KEY = `
      var firstKey = last + 1u;
      for (var at = begin; at <= last; at++) { firstKey = min(firstKey, spans[base + at]); }`;

/**
 * Moves `at` past keys that no lane sees: one whose subtree ended before the workgroup's first
 * query hides its whole subtree, so that a tree is crossed from sibling to sibling.
 */
export function skipHiddenKeys(at: string): string {
  return `while (${at} < begin && spans[ends + ${at}] <= begin) { ${at} = max(${at} + 1u, spans[ends + ${at}]); }`;
}

/** Declares `queryEnd`, beyond `begin`: no query from there on sees a key of the workgroup. */
export const QUERY_END: string = `
      var queryEnd = 0u;
      for (var at = begin; at <= last; at++) { queryEnd = max(queryEnd, spans[ends + at]); }
      queryEnd = min(queryEnd, params.seqLen);
      let chunks = 2u * params.numRows * params.seqLen + row * ((params.seqLen + ${CHUNK - 1}u) / ${CHUNK}u);
      while (queryEnd > begin && spans[chunks + (queryEnd - 1u) / ${CHUNK}u] > last) {
        queryEnd = (queryEnd - 1u) / ${CHUNK}u * ${CHUNK}u;
      }
      queryEnd = max(queryEnd, begin + 1u);`;
