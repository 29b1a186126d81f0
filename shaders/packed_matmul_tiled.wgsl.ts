/**
 * Matrix products with packed weights for GPUs: tiles of both operands staged in workgroup memory,
 * the weight unpacked on the way there; a register tile of 4 × 4 a lane. Layouts and contract are
 * those of `packed_matmul_flat.wgsl.ts`.
 *
 * A workgroup of 16 × 16 lanes computes 64 × 64 outputs, 32 terms at a time, as long as a block.
 * The tiles fill the 16 KiB that every device has; instead of padding, the rows of `tileA` are
 * permuted by their index, so that lanes that store a column do not meet in one bank. A barrier
 * stands before the tiles are read and another before they are overwritten.
 */
import { type Kernel } from "./kernel.ts";
import { MATMUL_BUFFERS, MATMUL_PARAMS } from "./linear_flat.wgsl.ts";
import { loadRun, maskRun, RUN } from "./packed.wgsl.ts";
import {
  packedMatmulBindings,
  type PackedMatmulConstants,
  packedStore,
} from "./packed_matmul_flat.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Rows and columns of the outputs of one workgroup. */
export const PACKED_TILE = 64;

const DEPTH = 32;
const QUADS = PACKED_TILE / 4;

/** Which operand the weight is: `c = a · wᵀ` or `c = a · w`. */
export interface PackedTiledConstants extends PackedMatmulConstants {
  readonly layout: "nt" | "nn";
}

/** Unpacks four rows of the weight, and stores a run of each as eight vectors across the rows. */
function stageNt(constants: PackedMatmulConstants): string {
  return `if (lane < ${(QUADS * DEPTH) / RUN}u) {
          let quad = lane % ${QUADS}u;
          let run = begin / ${RUN}u + lane / ${QUADS}u;
          var low: array<vec4f, 4>;
          var high: array<vec4f, 4>;
          for (var j = 0u; j < 4u; j++) {
            let n = min(column + 4u * quad + j, params.numColumns - 1u);
            ${loadRun(constants, { name: "v", row: "n", run: "run", width: "params.depth" })}
            ${maskRun(constants, { from: "v", to: "w", k: `run * ${RUN}u`, width: "params.depth" })}
            low[j] = w0;
            high[j] = w1;
          }
          let at = lane / ${QUADS}u * ${RUN * QUADS}u + quad;
          for (var i = 0u; i < 4u; i++) {
            tileB[at + i * ${QUADS}u] = vec4f(low[0][i], low[1][i], low[2][i], low[3][i]);
            tileB[at + (i + 4u) * ${QUADS}u] = vec4f(high[0][i], high[1][i], high[2][i], high[3][i]);
          }
        }`;
}

/** Unpacks a run of one row of the weight, which lies in the tile as it is. */
function stageNn(constants: PackedMatmulConstants): string {
  return `let n = min(begin + lane / ${PACKED_TILE / RUN}u, params.depth - 1u);
        let ownRun = lane % ${PACKED_TILE / RUN}u;
        let run = min(column / ${RUN}u + ownRun, (params.numColumns - 1u) / ${RUN}u);
        ${loadRun(constants, { name: "w", row: "n", run: "run", width: "params.numColumns" })}
        let at = lane / ${PACKED_TILE / RUN}u * ${QUADS}u + 2u * ownRun;
        tileB[at] = w0;
        tileB[at + 1u] = w1;`;
}

/** `c (+)= a · wᵀ (+ bias)` or `c (+)= a · w (+ bias)`, 64 × 64 outputs a workgroup of 256. */
export const packedMatmulTiled: Kernel<
  PackedTiledConstants,
  typeof MATMUL_PARAMS,
  typeof MATMUL_BUFFERS
> = {
  name: "packedMatmulTiled",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: (constants) => wgsl`
    ${packedMatmulBindings(constants)}

    var<workgroup> tileA: array<vec4f, ${DEPTH * QUADS}>;  // [depth, rows / 4], permuted
    var<workgroup> tileB: array<vec4f, ${DEPTH * QUADS}>;  // [depth, columns / 4]

    fn loadA(m: u32, k: u32) -> f32 {
      if (m >= params.numRows || k >= params.depth) { return 0.0; }
      return a[m * params.aStride + params.aBegin + k];
    }

    @compute @workgroup_size(256)
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let tilesAcross = (params.numColumns + ${PACKED_TILE - 1}u) / ${PACKED_TILE}u;
      let tile = workgroup.y * grid.x + workgroup.x;
      let row = tile / tilesAcross * ${PACKED_TILE}u;
      let column = tile % tilesAcross * ${PACKED_TILE}u;
      if (row >= params.numRows) { return; }
      let laneRow = lane / ${QUADS}u;
      let laneColumn = lane % ${QUADS}u;

      var sums: array<vec4f, 4>;
      for (var begin = 0u; begin < params.depth; begin += ${DEPTH}u) {
        for (var k = lane % 16u; k < ${DEPTH}u; k += 16u) {
          let m = row + 4u * laneRow;
          let ka = begin + k;
          tileA[k * ${QUADS}u + (laneRow ^ (k % ${QUADS}u))] =
            vec4f(loadA(m, ka), loadA(m + 1u, ka), loadA(m + 2u, ka), loadA(m + 3u, ka));
        }
        ${constants.layout === "nt" ? stageNt(constants) : stageNn(constants)}
        workgroupBarrier();
        for (var k = 0u; k < ${DEPTH}u; k++) {
          let x = tileA[k * ${QUADS}u + (laneRow ^ (k % ${QUADS}u))];
          let y = tileB[k * ${QUADS}u + laneColumn];
          sums[0] = fma(vec4f(x.x), y, sums[0]);
          sums[1] = fma(vec4f(x.y), y, sums[1]);
          sums[2] = fma(vec4f(x.z), y, sums[2]);
          sums[3] = fma(vec4f(x.w), y, sums[3]);
        }
        workgroupBarrier();
      }

      for (var r = 0u; r < 4u; r++) {
        let m = row + 4u * laneRow + r;
        for (var j = 0u; j < 4u; j++) {
          let n = column + 4u * laneColumn + j;
          if (m < params.numRows && n < params.numColumns) {
            ${packedStore(constants, { m: "m", n: "n", value: "sums[r][j]" })}
          }
        }
      }
    }`,
};
