/**
 * Sums of a matrix's columns, in two passes of fixed order: first chunks of rows, then the chunks.
 *
 *     partial[c, n] = Σ_{m in chunk c} x[m, n]
 *     y[n] (+)= Σ_c partial[c, n]
 *
 * One lane a column, so that neighboring lanes read neighboring elements.
 */
import { enableF16, storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { wgsl } from "./wgsl.ts";

const PARAMS = { numRows: "u32", numColumns: "u32", chunkRows: "u32" } as const;

/** Constants of {@linkcode sumColumnsOfChunks}. */
export interface SumColumnsConstants {
  /** Of `x`. */
  readonly storage: Storage;
  /** Of `y`. */
  readonly sumStorage: Storage;
  readonly accumulate: boolean;
  readonly workgroupSize: number;
}

const BUFFERS = { x: "read", y: "read_write" } as const;

/** `[numRows, numColumns]` → `[⌈numRows / chunkRows⌉, numColumns]`; one chunk adds into `y`. */
export const sumColumnsOfChunks: Kernel<SumColumnsConstants, typeof PARAMS, typeof BUFFERS> = {
  name: "sumColumns",
  params: PARAMS,
  buffers: BUFFERS,
  code: ({ storage, sumStorage, accumulate, workgroupSize }) =>
    wgsl`
    ${enableF16(storage === "f16" ? storage : sumStorage)}
    ${paramsBinding(PARAMS)}
    @group(0) @binding(1) var<storage, read> x: array<${storage}>;           // [numRows, numColumns]
    @group(0) @binding(2) var<storage, read_write> y: array<${sumStorage}>;  // [numChunks, numColumns]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let groupsAcross = (params.numColumns + ${workgroupSize - 1}u) / ${workgroupSize}u;
      let group = workgroup.y * grid.x + workgroup.x;
      let chunk = group / groupsAcross;
      let column = group % groupsAcross * ${workgroupSize}u + lane;
      let begin = chunk * params.chunkRows;
      if (column >= params.numColumns || begin >= params.numRows) { return; }
      var sum = 0.0;
      for (var row = begin; row < min(begin + params.chunkRows, params.numRows); row++) {
        sum += f32(x[row * params.numColumns + column]);
      }
      ${storeOrAdd("y[chunk * params.numColumns + column]", "sum", accumulate, sumStorage)}
    }`,
};
