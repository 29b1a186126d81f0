/**
 * Matrix products for GPUs: tiles of both operands staged in workgroup memory, a register tile of
 * 4 × 4 a lane. The layouts and the contract are those of `matmulFlat`.
 *
 * A workgroup of 16 × 16 lanes computes 64 × 64 outputs, 16 steps of `k` at a time. Both staged
 * tiles are stored with `k` outermost, padded by one vector against bank conflicts. A barrier
 * stands before each tile is read and another before it is overwritten.
 */
import { kernel, paramsBinding } from "./kernel.ts";
import {
  enableF16Of,
  MATMUL_BUFFERS,
  MATMUL_PARAMS,
  type MatmulConstants,
} from "./linear_flat.wgsl.ts";
import { wgsl } from "./wgsl.ts";

/** Rows and columns of the outputs that one workgroup of {@linkcode matmulTiled} computes. */
export const MATMUL_TILE = 64;

const DEPTH = 16;
const LANES = 16;
const STRIDE = MATMUL_TILE / 4 + 1;

/** `c (+)= a · b (+ bias)`, 64 × 64 outputs a workgroup of 256. */
export const matmulTiled = kernel({
  name: "matmulTiled",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: ({ layout, storage, accumulate, bias }: MatmulConstants) =>
    wgsl`
    ${enableF16Of(storage)}
    ${paramsBinding(MATMUL_PARAMS)}
    @group(0) @binding(1) var<storage, read> a: array<${storage.a}>;
    @group(0) @binding(2) var<storage, read> b: array<${storage.b}>;
    @group(0) @binding(3) var<storage, read> bias: array<${storage.bias}>;  // [cStride]
    @group(0) @binding(4) var<storage, read_write> c: array<${storage.c}>;  // [numRows, cStride]

    var<workgroup> tileA: array<vec4f, ${DEPTH * STRIDE}>;  // [depth, rows / 4]
    var<workgroup> tileB: array<vec4f, ${DEPTH * STRIDE}>;  // [depth, columns / 4]

    fn loadA(m: u32, k: u32) -> f32 {
      if (m >= params.numRows || k >= params.depth) { return 0.0; }
      return f32(a[params.aBegin + ${layout === "tn" ? "k * params.aStride + m" : "m * params.aStride + k"}]);
    }

    fn loadB(k: u32, n: u32) -> f32 {
      if (n >= params.numColumns || k >= params.depth) { return 0.0; }
      return f32(b[${layout === "nt" ? "n * params.depth + k" : "k * params.numColumns + n"}]);
    }

    @compute @workgroup_size(${LANES * LANES})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let tilesAcross = (params.numColumns + ${MATMUL_TILE - 1}u) / ${MATMUL_TILE}u;
      let tile = workgroup.y * grid.x + workgroup.x;
      let row = tile / tilesAcross * ${MATMUL_TILE}u;
      let column = tile % tilesAcross * ${MATMUL_TILE}u;
      if (row >= params.numRows) { return; }

      let laneRow = lane / ${LANES}u;
      let laneColumn = lane % ${LANES}u;
      // Neighboring lanes load neighboring elements, whichever axis is contiguous.
      #if ${layout === "tn"}
      let stageA = vec2u(lane / ${LANES}u, lane % ${LANES}u);
      #else
      let stageA = vec2u(lane % ${LANES}u, lane / ${LANES}u);
      #endif
      #if ${layout === "nt"}
      let stageB = vec2u(lane % ${LANES}u, lane / ${LANES}u);
      #else
      let stageB = vec2u(lane / ${LANES}u, lane % ${LANES}u);
      #endif

      var sums: array<vec4f, 4>;
      for (var begin = 0u; begin < params.depth; begin += ${DEPTH}u) {
        let m = row + 4u * stageA.y;
        let ka = begin + stageA.x;
        tileA[stageA.x * ${STRIDE}u + stageA.y] =
          vec4f(loadA(m, ka), loadA(m + 1u, ka), loadA(m + 2u, ka), loadA(m + 3u, ka));
        let n = column + 4u * stageB.y;
        let kb = begin + stageB.x;
        tileB[stageB.x * ${STRIDE}u + stageB.y] =
          vec4f(loadB(kb, n), loadB(kb, n + 1u), loadB(kb, n + 2u), loadB(kb, n + 3u));
        workgroupBarrier();
        for (var k = 0u; k < ${DEPTH}u; k++) {
          let x = tileA[k * ${STRIDE}u + laneRow];
          let y = tileB[k * ${STRIDE}u + laneColumn];
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
            let i = m * params.cStride + params.cBegin + n;
            var value = sums[r][j];
            #if ${bias}
            value += f32(bias[params.cBegin + n]);
            #endif
            #if ${accumulate}
            value += f32(c[i]);
            #endif
            c[i] = ${storage.c}(value);
          }
        }
      }
    }`,
});
