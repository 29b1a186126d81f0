/**
 * Rows of a table, looked up by id.
 *
 *     forward   y[t] = table[ids[t]]
 *     backward  dTable[v] += Σ_{t: ids[t] = v} dy[t]
 *
 * Backward sums over segments, the sorted positions of each id: one group of lanes owns a row of
 * the table, so there are no atomics and the order of every sum is fixed.
 *
 * All kernels see rows `[rowBegin, rowEnd)` of the table and leave other ids to other dispatches.
 */
import { enableF16, storeOrAdd } from "./elementwise.wgsl.ts";
import { type Kernel, paramsBinding, type Storage } from "./kernel.ts";
import { wgsl } from "./wgsl.ts";

/** Params of a lookup. */
export const LOOKUP_PARAMS = {
  numTokens: "u32",
  vocabSize: "u32",
  dModel: "u32",
  rowBegin: "u32",
  rowEnd: "u32",
} as const;
const BACKWARD_PARAMS = {
  numSegments: "u32",
  vocabSize: "u32",
  dModel: "u32",
  rowBegin: "u32",
  rowEnd: "u32",
} as const;
const BACKWARD_BUFFERS = {
  dy: "read",
  order: "read",
  starts: "read",
  segmentIds: "read",
  dTable: "read_write",
} as const;

/** Columns that a workgroup of the tiled backward kernel sums, and slices of each segment. */
export const TILED_COLUMNS = 32;
const TILED_SLICES = 8;

/** Constants of the kernels without workgroup memory. */
export interface EmbeddingConstants {
  /** Of `y` and `dy`. */
  readonly storage: Storage;
  readonly workgroupSize: number;
}

const FORWARD_BUFFERS = { table: "read", ids: "read", y: "read_write" } as const;

/** `y`, a workgroup a token; an id beyond the table reads its last row. */
export const embeddingForward: Kernel<
  EmbeddingConstants & { readonly tableStorage: Storage },
  typeof LOOKUP_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "embeddingForward",
  params: LOOKUP_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: ({ storage, tableStorage, workgroupSize }) =>
    wgsl`
    ${enableF16(storage === "f16" ? storage : tableStorage)}
    ${paramsBinding(LOOKUP_PARAMS)}
    @group(0) @binding(1) var<storage, read> table: array<${tableStorage}>;  // [rowEnd - rowBegin, dModel]
    @group(0) @binding(2) var<storage, read> ids: array<u32>;                // [numTokens]
    @group(0) @binding(3) var<storage, read_write> y: array<${storage}>;     // [numTokens, dModel]

    @compute @workgroup_size(${workgroupSize})
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
      for (var column = lane; column < params.dModel; column += ${workgroupSize}u) {
        y[token * params.dModel + column] = ${storage}(table[row * params.dModel + column]);
      }
    }`,
};

const backwardBindings = (storage: Storage) => `${enableF16(storage)}
    ${paramsBinding(BACKWARD_PARAMS)}
    @group(0) @binding(1) var<storage, read> dy: array<${storage}>;     // [numTokens, dModel]
    @group(0) @binding(2) var<storage, read> order: array<u32>;         // [numTokens]
    @group(0) @binding(3) var<storage, read> starts: array<u32>;        // [numSegments + 1]
    @group(0) @binding(4) var<storage, read> segmentIds: array<u32>;    // [numSegments]
    @group(0) @binding(5) var<storage, read_write> dTable: array<f32>;  // [rowEnd - rowBegin, dModel]`;

/** `dTable += …` without barriers: a workgroup a segment, its lanes side by side. */
export const embeddingBackwardFlat: Kernel<
  EmbeddingConstants,
  typeof BACKWARD_PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "embeddingBackwardFlat",
  params: BACKWARD_PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ storage, workgroupSize }) =>
    wgsl`
    ${backwardBindings(storage)}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let group = workgroup.y * grid.x + workgroup.x;
      let segment = min(group, params.numSegments - 1u);
      let begin = starts[segment];
      let end = starts[segment + 1u];
      if (group >= params.numSegments || begin >= end) { return; }
      let id = min(segmentIds[segment], params.vocabSize - 1u);
      if (id < params.rowBegin || id >= params.rowEnd) { return; }
      let row = id - params.rowBegin;
      for (var column = lane; column < params.dModel; column += ${workgroupSize}u) {
        var sum = 0.0;
        for (var i = begin; i < end; i++) {
          sum += f32(dy[order[i] * params.dModel + column]);
        }
        ${storeOrAdd("dTable[row * params.dModel + column]", "sum", true)}
      }
    }`,
};

/**
 * `dTable += …` on a GPU: a workgroup sums 32 columns of a segment in 8 interleaved slices, so
 * that a token that fills the batch, as a padding or a separator does, is no long serial loop.
 */
export const embeddingBackwardTiled: Kernel<
  Pick<EmbeddingConstants, "storage">,
  typeof BACKWARD_PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "embeddingBackwardTiled",
  params: BACKWARD_PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ storage }) =>
    wgsl`
    ${backwardBindings(storage)}

    var<workgroup> sums: array<f32, ${TILED_COLUMNS * TILED_SLICES}>;  // [slices, columns]

    @compute @workgroup_size(${TILED_COLUMNS * TILED_SLICES})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let groupsAcross = (params.dModel + ${TILED_COLUMNS - 1}u) / ${TILED_COLUMNS}u;
      let group = workgroup.y * grid.x + workgroup.x;
      let segment = min(group / groupsAcross, params.numSegments - 1u);
      let column = group % groupsAcross * ${TILED_COLUMNS}u + lane % ${TILED_COLUMNS}u;
      let slice = lane / ${TILED_COLUMNS}u;
      let begin = starts[segment];
      let end = starts[segment + 1u];
      let safeColumn = min(column, params.dModel - 1u);
      var sum = 0.0;
      for (var i = begin + slice; i < end; i += ${TILED_SLICES}u) {
        sum += f32(dy[order[i] * params.dModel + safeColumn]);
      }
      sums[lane] = sum;
      workgroupBarrier();
      let id = min(segmentIds[segment], params.vocabSize - 1u);
      let isRow = id >= params.rowBegin && id < params.rowEnd;
      let isSegment = group / groupsAcross < params.numSegments && begin < end && isRow;
      if (isSegment && slice == 0u && column < params.dModel) {
        for (var other = 1u; other < ${TILED_SLICES}u; other++) {
          sum += sums[other * ${TILED_COLUMNS}u + lane];
        }
        let row = id - params.rowBegin;
        ${storeOrAdd("dTable[row * params.dModel + column]", "sum", true)}
      }
    }`,
};
