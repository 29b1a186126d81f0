/**
 * Rows of a packed table, looked up by id and unpacked.
 *
 *     y[t] = table[ids[t]]
 */
import { enableF16 } from "./elementwise.wgsl.ts";
import { LOOKUP_PARAMS } from "./embedding.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import {
  elementOf,
  loadRun,
  RUN,
  type WeightConstants,
  weightFunctions,
  weightType,
} from "./packed.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Constants of {@linkcode packedEmbedding}. */
export interface PackedEmbeddingConstants extends WeightConstants {
  /** Of `y`. */
  readonly storage: Storage;
  readonly workgroupSize: number;
}

const BUFFERS = { table: "read", ids: "read", y: "read_write" } as const;

/**
 * `y`, a workgroup a token; an id beyond the vocabulary reads its last row. The table bound holds
 * rows `[rowBegin, rowEnd)`; tokens of other rows are left to other dispatches.
 */
export const packedEmbedding: Kernel<
  PackedEmbeddingConstants,
  typeof LOOKUP_PARAMS,
  typeof BUFFERS
> = {
  name: "packedEmbedding",
  params: LOOKUP_PARAMS,
  buffers: BUFFERS,
  code: ({ storage, ...constants }) =>
    wgsl`
    ${enableF16(storage)}
    ${paramsBinding(LOOKUP_PARAMS)}
    @group(0) @binding(1) var<storage, read> b: array<${weightType(constants)}>;  // packed table
    @group(0) @binding(2) var<storage, read> ids: array<u32>;                     // [numTokens]
    @group(0) @binding(3) var<storage, read_write> y: array<${storage}>;          // [numTokens, dModel]

    ${weightFunctions(constants)}

    @compute @workgroup_size(${constants.workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let token = workgroup.y * grid.x + workgroup.x;
      if (token >= params.numTokens) { return; }
      let id = min(ids[token], params.vocabSize - 1u);
      if (id < params.rowBegin || id >= params.rowEnd) { return; }
      let row = id - params.rowBegin;
      let numRuns = (params.dModel + ${RUN - 1}u) / ${RUN}u;
      for (var run = lane; run < numRuns; run += ${constants.workgroupSize}u) {
        ${loadRun(constants, { name: "w", row: "row", run: "run", width: "params.dModel" })}
        let column = run * ${RUN}u;
        ${each(RUN, (i) => `if (column + ${i}u < params.dModel) { y[token * params.dModel + column + ${i}u] = ${storage}(${elementOf("w", i)}); }`)}
      }
    }`,
};
