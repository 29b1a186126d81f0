/**
 * Products of sparse rows with a table: every row adds up the rows of the table that it names.
 *
 *     forward   y[r] = Σ_k values[k] · table[columns[k]]                k in row r
 *     backward  dTable[c] += Σ_{k: columns[k] = c} values[k] · dy[r(k)]
 *
 * Backward walks the entries sorted by column, so that one owner sums each row of the table, in the
 * order of the rows, without atomics. Elements are vectors of 4 where widths allow.
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { wgsl } from "./wgsl.ts";

/** Lanes side by side, and slices of the entries, of a workgroup of the backward kernel on GPUs. */
export const SPARSE_COLUMNS = 32;
const SPARSE_SLICES = 8;

/** A statement for each element of a lane. */
function unrolled(perLane: number, statement: (u: number) => string): string {
  return Array.from({ length: perLane }, (_, u) => statement(u)).join("\n        ");
}

/** Where the elements of a lane are, a workgroup's width apart. */
function placesOf(perLane: number, lanes: number): string {
  return unrolled(perLane, (u) => `let i${u} = first + ${u * lanes}u;`);
}

/** Of {@linkcode sparseRowsForward}. */
export interface SparseRowsConstants {
  /** What a lane loads at a time: `dModel` is a multiple of its width. */
  readonly element: "f32" | "vec4f";
  readonly workgroupSize: number;
  /** Elements that a lane sums side by side, so that an entry is read once for all of them. */
  readonly perLane: number;
}

const FORWARD_PARAMS = { numRows: "u32", numFeatures: "u32", width: "u32" } as const;

const FORWARD_BUFFERS = {
  table: "read",
  starts: "read",
  columns: "read",
  values: "read",
  y: "read_write",
} as const;

/** `y`, a workgroup a row; `width` counts elements. */
export const sparseRowsForward: Kernel<
  SparseRowsConstants,
  typeof FORWARD_PARAMS,
  typeof FORWARD_BUFFERS
> = {
  name: "sparseRowsForward",
  params: FORWARD_PARAMS,
  buffers: FORWARD_BUFFERS,
  code: ({ element, workgroupSize, perLane }) =>
    wgsl`
    alias T = ${element};
    ${paramsBinding(FORWARD_PARAMS)}
    @group(0) @binding(1) var<storage, read> table: array<T>;        // [numFeatures, width]
    @group(0) @binding(2) var<storage, read> starts: array<u32>;     // [numRows + 1]
    @group(0) @binding(3) var<storage, read> columns: array<u32>;    // [maxEntries]
    @group(0) @binding(4) var<storage, read> values: array<f32>;     // [maxEntries]
    @group(0) @binding(5) var<storage, read_write> y: array<T>;      // [numRows, width]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let row = workgroup.y * grid.x + workgroup.x;
      if (row >= params.numRows) { return; }
      let begin = starts[row];
      let end = starts[row + 1u];
      for (var first = lane; first < params.width; first += ${workgroupSize * perLane}u) {
        ${unrolled(perLane, (u) => `var sum${u} = T();`)}
        ${placesOf(perLane, workgroupSize)}
        for (var k = begin; k < end; k++) {
          let base = min(columns[k], params.numFeatures - 1u) * params.width;
          let value = values[k];
          ${unrolled(perLane, (u) => `sum${u} += value * table[base + min(i${u}, params.width - 1u)];`)}
        }
        ${unrolled(perLane, (u) => `if (i${u} < params.width) { y[row * params.width + i${u}] = sum${u}; }`)}
      }
    }`,
};

const BACKWARD_PARAMS = { numFeatures: "u32", width: "u32" } as const;

const BACKWARD_BUFFERS = {
  dy: "read",
  starts: "read",
  rows: "read",
  values: "read",
  dTable: "read_write",
} as const;

const backwardBindings = (element: string) => `alias T = ${element};
    ${paramsBinding(BACKWARD_PARAMS)}
    @group(0) @binding(1) var<storage, read> dy: array<T>;             // [numRows, width]
    @group(0) @binding(2) var<storage, read> starts: array<u32>;       // [numFeatures + 1]
    @group(0) @binding(3) var<storage, read> rows: array<u32>;         // [maxEntries], by column
    @group(0) @binding(4) var<storage, read> values: array<f32>;       // [maxEntries], by column
    @group(0) @binding(5) var<storage, read_write> dTable: array<T>;   // [numFeatures, width]`;

/** `dTable += …` without barriers: a workgroup a column and `workgroupSize · perLane` elements. */
export const sparseRowsBackwardFlat: Kernel<
  SparseRowsConstants,
  typeof BACKWARD_PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "sparseRowsBackwardFlat",
  params: BACKWARD_PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ element, workgroupSize, perLane }) =>
    wgsl`
    ${backwardBindings(element)}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let groupsAcross = (params.width + ${workgroupSize * perLane - 1}u) / ${workgroupSize * perLane}u;
      let group = workgroup.y * grid.x + workgroup.x;
      let feature = group / groupsAcross;
      if (feature >= params.numFeatures) { return; }
      let begin = starts[feature];
      let end = starts[feature + 1u];
      if (begin >= end) { return; }
      let first = group % groupsAcross * ${workgroupSize * perLane}u + lane;
      ${unrolled(perLane, (u) => `var sum${u} = T();`)}
      ${placesOf(perLane, workgroupSize)}
      for (var k = begin; k < end; k++) {
        let base = rows[k] * params.width;
        let value = values[k];
        ${unrolled(perLane, (u) => `sum${u} += value * dy[base + min(i${u}, params.width - 1u)];`)}
      }
      let base = feature * params.width;
      ${unrolled(perLane, (u) => `if (i${u} < params.width) { dTable[base + i${u}] += sum${u}; }`)}
    }`,
};

/** `dTable += …` on a GPU: a workgroup sums 32 elements of a column in 8 interleaved slices. */
export const sparseRowsBackwardTiled: Kernel<
  Pick<SparseRowsConstants, "element">,
  typeof BACKWARD_PARAMS,
  typeof BACKWARD_BUFFERS
> = {
  name: "sparseRowsBackwardTiled",
  params: BACKWARD_PARAMS,
  buffers: BACKWARD_BUFFERS,
  code: ({ element }) =>
    wgsl`
    ${backwardBindings(element)}
    var<workgroup> sums: array<T, ${SPARSE_COLUMNS * SPARSE_SLICES}>;  // [slices, columns]

    @compute @workgroup_size(${SPARSE_COLUMNS * SPARSE_SLICES})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let groupsAcross = (params.width + ${SPARSE_COLUMNS - 1}u) / ${SPARSE_COLUMNS}u;
      let group = workgroup.y * grid.x + workgroup.x;
      let feature = min(group / groupsAcross, params.numFeatures - 1u);
      let i = group % groupsAcross * ${SPARSE_COLUMNS}u + lane % ${SPARSE_COLUMNS}u;
      let slice = lane / ${SPARSE_COLUMNS}u;
      let begin = starts[feature];
      let end = starts[feature + 1u];
      let safe = min(i, params.width - 1u);
      var sum = T();
      for (var k = begin + slice; k < end; k += ${SPARSE_SLICES}u) {
        sum += values[k] * dy[rows[k] * params.width + safe];
      }
      sums[lane] = sum;
      workgroupBarrier();
      let isFeature = group / groupsAcross < params.numFeatures && begin < end;
      if (isFeature && slice == 0u && i < params.width) {
        for (var other = 1u; other < ${SPARSE_SLICES}u; other++) {
          sum += sums[other * ${SPARSE_COLUMNS}u + lane];
        }
        dTable[feature * params.width + i] += sum;
      }
    }`,
};
