/**
 * Products of few rows with packed weights, for GPUs: what a step of decoding does. Reading the
 * weight is all the work, so lanes read it side by side, and each keeps sums of its own; the sums
 * are then added as a tree, whose order is fixed and the same for every row. Layouts and contract
 * are those of `packed_matmul_flat.wgsl.ts`. Of each row:
 *
 *     nt   32 lanes share 2 outputs: lane l takes the runs l, l + 32, …
 *     nn   16 lanes share 8 outputs: lane l takes the rows l, l + 16, … of the weight
 */
import { kernel } from "./kernel.ts";
import { MATMUL_BUFFERS, MATMUL_PARAMS } from "./linear_flat.wgsl.ts";
import { loadRun, maskRun, RUN } from "./packed.wgsl.ts";
import {
  packedMatmulBindings,
  type PackedMatmulConstants,
  packedStore,
} from "./packed_matmul_flat.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Constants of both kernels. */
export interface PackedFewRowsConstants extends PackedMatmulConstants {
  /** Rows of `a` that a workgroup takes. */
  readonly tileRows: number;
}

const LANES = 128;
const NT_LANES = 32;
const NT_COLUMNS = 2;
const NN_SLICES = 16;

/** Columns of the outputs of one workgroup, by layout, and most rows. */
export const FEW_ROWS = {
  nt: { columns: (LANES / NT_LANES) * NT_COLUMNS, rows: 4 },
  nn: { columns: (LANES / NN_SLICES) * RUN, rows: 2 },
} as const;

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

/** `c (+)= a · wᵀ (+ bias)` of up to 4 rows a workgroup. */
export const packedFewRowsNt = kernel({
  name: "packedFewRowsNt",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: (constants: PackedFewRowsConstants) => {
    const { tileRows } = constants;
    const element = (i: number) =>
      constants.alignment < RUN
        ? `select(0.0, a[at + min(${i}u, last)], ${i}u <= last)`
        : `a[at + ${i}u]`;
    const vector = (v: number) =>
      `vec4f(${[0, 1, 2, 3].map((i) => element(4 * v + i)).join(", ")})`;
    const weightOf = (j: number) => ({ name: `v${j}x`, row: `column${j}`, run: "run" });
    const columns = Array.from({ length: NT_COLUMNS }, (_, j) => j);
    return wgsl`
    ${packedMatmulBindings(constants)}

    var<workgroup> sums: array<f32, ${tileRows * NT_COLUMNS * LANES}>;  // [rows, columns, lanes]

    ${MAIN}
      ${tileOf(FEW_ROWS.nt.columns, tileRows)}
      let share = lane % ${NT_LANES}u;
      let column = firstColumn + lane / ${NT_LANES}u * ${NT_COLUMNS}u;
      ${each(NT_COLUMNS, (j) => `let column${j} = min(column + ${j}u, params.numColumns - 1u);`)}
      ${each(NT_COLUMNS, (j) => `var sum${j}: array<vec4f, ${tileRows}>;`)}

      let numRuns = (params.depth + ${RUN - 1}u) / ${RUN}u;
      for (var run = share; run < numRuns; run += ${NT_LANES}u) {
        let k = run * ${RUN}u;
        let last = params.depth - 1u - k;
        ${each(
          NT_COLUMNS,
          (j) => `${loadRun(constants, { ...weightOf(j), width: "params.depth" })}
        ${maskRun(constants, { from: `v${j}x`, to: `w${j}x`, k: "k", width: "params.depth" })}`,
        )}
        for (var r = 0u; r < ${tileRows}u; r++) {
          let at = min(row + r, params.numRows - 1u) * params.aStride + params.aBegin + k;
          let x0 = ${vector(0)};
          let x1 = ${vector(1)};
          ${each(NT_COLUMNS, (j) => `sum${j}[r] = fma(x1, w${j}x1, fma(x0, w${j}x0, sum${j}[r]));`)}
        }
      }

      for (var r = 0u; r < ${tileRows}u; r++) {
        ${each(NT_COLUMNS, (j) => `sums[(r * ${NT_COLUMNS}u + ${j}u) * ${LANES}u + lane] = (sum${j}[r].x + sum${j}[r].y) + (sum${j}[r].z + sum${j}[r].w);`)}
      }
      ${treeSum(tileRows * NT_COLUMNS, { lanes: NT_LANES, stride: 1 })}
      if (share == 0u) {
        for (var r = 0u; r < min(${tileRows}u, params.numRows - row); r++) {
          ${columns
            .map(
              (j) => `if (column + ${j}u < params.numColumns) {
            ${packedStore(constants, { m: "row + r", n: `(column + ${j}u)`, value: `sums[(r * ${NT_COLUMNS}u + ${j}u) * ${LANES}u + lane]` })}
          }`,
            )
            .join(" ")}
        }
      }
    }`;
  },
});

/** `c (+)= a · w (+ bias)` of up to 2 rows a workgroup. */
export const packedFewRowsNn = kernel({
  name: "packedFewRowsNn",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: (constants: PackedFewRowsConstants) => {
    const { tileRows } = constants;
    const runs = LANES / NN_SLICES;
    return wgsl`
    ${packedMatmulBindings(constants)}

    var<workgroup> sums: array<f32, ${tileRows * RUN * LANES}>;  // [rows, elements, slices, runs]

    ${MAIN}
      ${tileOf(FEW_ROWS.nn.columns, tileRows)}
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
});
