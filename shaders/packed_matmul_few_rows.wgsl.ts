/**
 * Products of few rows with packed weights in layout nn, for GPUs; nt, which decoding takes, is
 * `fused_projection_tiled.wgsl.ts`. Reading the weight is all the work, so lanes read it side by
 * side, and each keeps sums of its own; the sums are then added as a tree, whose order is fixed and
 * the same for every row. Layout and contract are those of `packed_matmul_flat.wgsl.ts`. Of each
 * row, 16 lanes share 8 outputs: lane l takes the rows l, l + 16, … of the weight.
 */
import { type Kernel } from "./kernel.ts";
import { MATMUL_BUFFERS, MATMUL_PARAMS } from "./linear_flat.wgsl.ts";
import { loadRun, RUN } from "./packed.wgsl.ts";
import {
  packedMatmulBindings,
  type PackedMatmulConstants,
  packedStore,
} from "./packed_matmul_flat.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Constants of {@linkcode packedFewRowsNn}. */
export interface PackedFewRowsConstants extends PackedMatmulConstants {
  /** Rows of `a` that a workgroup takes. */
  readonly tileRows: number;
}

const LANES = 128;
const NN_SLICES = 16;

/** Columns of the outputs of one workgroup, and most rows. */
export const FEW_ROWS: { readonly columns: number; readonly rows: number } = {
  columns: (LANES / NN_SLICES) * RUN,
  rows: 2,
};

const MAIN = `@compute @workgroup_size(${LANES})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let group = workgroup.y * grid.x + workgroup.x;`;

/** Where a workgroup begins; there may be one too many, where the plan folded them. */
function tileOf(columns: number, tileRows: number): string {
  return `let tilesAcross = (params.numColumns + ${columns - 1}u) / ${columns}u;
      let row = group / tilesAcross * ${tileRows}u;
      let firstColumn = group % tilesAcross * ${columns}u;
      if (row >= params.numRows) { return; }`;
}

/** Adds each of `count` sums over lanes that are `stride` · 1, 2, 4, … apart; share 0 has the total. */
function treeSum(count: number, { lanes, stride }: { lanes: number; stride: number }): string {
  return `workgroupBarrier();
      for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
        if (share < half) {
          for (var i = lane; i < ${count * LANES}u; i += ${LANES}u) {
            sums[i] += sums[i + half * ${stride}u];
          }
        }
        workgroupBarrier();
      }`;
}

/** `c (+)= a · w (+ bias)` of up to 2 rows a workgroup. */
export const packedFewRowsNn: Kernel<
  PackedFewRowsConstants,
  typeof MATMUL_PARAMS,
  typeof MATMUL_BUFFERS
> = {
  name: "packedFewRowsNn",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: (constants) => {
    const { tileRows } = constants;
    const runs = LANES / NN_SLICES;
    return wgsl`
    ${packedMatmulBindings(constants)}

    var<workgroup> sums: array<f32, ${tileRows * RUN * LANES}>;  // [rows, elements, slices, runs]

    ${MAIN}
      ${tileOf(FEW_ROWS.columns, tileRows)}
      let share = lane / ${runs}u;
      let column = firstColumn + lane % ${runs}u * ${RUN}u;
      let run = min(column, params.numColumns - 1u) / ${RUN}u;
      var sum0: array<vec4f, ${tileRows}>;
      var sum1: array<vec4f, ${tileRows}>;

      for (var n = share; n < params.depth; n += ${NN_SLICES}u) {
        ${loadRun(constants, { name: "w", row: "n", run: "run", width: "params.numColumns" })}
        for (var r = 0u; r < ${tileRows}u; r++) {
          let at = min(row + r, params.numRows - 1u) * params.aStride + params.aBegin + n;
          let x = vec4f(a[at]);
          sum0[r] = fma(x, w0, sum0[r]);
          sum1[r] = fma(x, w1, sum1[r]);
        }
      }

      for (var i = 0u; i < ${tileRows * RUN}u; i++) {
        let r = i / ${RUN}u;
        let e = i % ${RUN}u;
        sums[i * ${LANES}u + lane] = select(sum1[r][e % 4u], sum0[r][e % 4u], e < 4u);
      }
      ${treeSum(tileRows * RUN, { lanes: NN_SLICES, stride: runs })}
      if (share == 0u) {
        for (var i = 0u; i < ${tileRows * RUN}u; i++) {
          let m = row + i / ${RUN}u;
          let n = column + i % ${RUN}u;
          if (m < params.numRows && n < params.numColumns) {
            ${packedStore(constants, { m: "m", n: "n", value: `sums[i * ${LANES}u + lane]` })}
          }
        }
      }
    }`;
  },
};
