/**
 * Matrix products with packed weights for software adapters: no workgroup memory, no barriers.
 *
 *     nt  c[m, n] = Σ_k a[m, k] · w[n, k]       y  = x · Wᵀ
 *     nn  c[m, k] = Σ_n a[m, n] · w[n, k]       dx = dy · W
 *
 * A lane owns a register tile of the outputs. Weights are unpacked eight at a time, once for all
 * rows of the tile. Products are added in ascending order, whatever the tile: so a row gives the
 * same bits alone and in any batch. Windows of columns (`aBegin`, `cBegin`) let a weight be
 * multiplied in parts.
 */
import { type Kernel, paramsBinding } from "./kernel.ts";
import { MATMUL_BUFFERS, MATMUL_PARAMS } from "./linear_flat.wgsl.ts";
import {
  elementOf,
  loadRun,
  maskRun,
  RUN,
  type WeightConstants,
  weightFunctions,
  weightType,
} from "./packed.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Constants of all products with packed weights. */
export interface PackedMatmulConstants extends WeightConstants {
  /** Adds to `c` instead of storing. */
  readonly accumulate: boolean;
  /** Adds `bias[n]` to every row; without it, `bias` is bound but unread. */
  readonly bias: boolean;
}

/** Constants of the flat variant. */
export interface PackedMatmulFlatConstants extends PackedMatmulConstants {
  /** Rows of `a` that a lane takes. */
  readonly tileRows: number;
  readonly workgroupSize: number;
  /** Lanes of a subgroup, equal to `workgroupSize`, to share loads of `a` in; 0 for none. */
  readonly subgroupSize: number;
}

/** Declarations that all products with packed weights begin with. */
export function packedMatmulBindings(constants: WeightConstants): string {
  return `${paramsBinding(MATMUL_PARAMS)}
    @group(0) @binding(1) var<storage, read> a: array<f32>;                     // [numRows, aStride]
    @group(0) @binding(2) var<storage, read> b: array<${weightType(constants)}>; // packed
    @group(0) @binding(3) var<storage, read> bias: array<f32>;                  // [cStride]
    @group(0) @binding(4) var<storage, read_write> c: array<f32>;               // [numRows, cStride]

    ${weightFunctions(constants)}`;
}

/** Stores `value` at row `m` and column `n`, both of the product. */
export function packedStore(
  { accumulate, bias }: PackedMatmulConstants,
  { m, n, value }: { readonly m: string; readonly n: string; readonly value: string },
): string {
  const at = `c[(${m}) * params.cStride + params.cBegin + ${n}]`;
  return `${at} ${accumulate ? "+=" : "="} ${value}${bias ? ` + bias[params.cBegin + ${n}]` : ""};`;
}

/** How the lanes of a workgroup are numbered, and which rows the flat tile begins at. */
function header(
  { workgroupSize, subgroupSize, tileRows }: PackedMatmulFlatConstants,
  columnsPerLane: number,
): string {
  const columns = workgroupSize * columnsPerLane;
  return `@compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${subgroupSize > 0 ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32,
    ) {
      let tilesAcross = (params.numColumns + ${columns - 1}u) / ${columns}u;
      let tile = workgroup.y * grid.x + workgroup.x;
      let row = tile / tilesAcross * ${tileRows}u;
      let column = (tile % tilesAcross * ${workgroupSize}u + lane) * ${columnsPerLane}u;
      if (row >= params.numRows) { return; }
      let lastRow = params.numRows - 1u;`;
}

/**
 * Stores column `j` of a lane's tile. A row beyond the last was computed as the last one, and may be
 * stored in its place: that compiles in half the time of a test for each row.
 */
function storeColumn(
  { accumulate, bias, tileRows }: PackedMatmulFlatConstants,
  j: number,
  valueOf: (r: number) => string,
): string {
  return `if (column + ${j}u < params.numColumns) {
        let first = params.cBegin + column + ${j}u;
        ${bias ? "let added = bias[first];" : ""}
        ${each(tileRows, (r) => `let at${r} = first + min(row + ${r}u, lastRow) * params.cStride;`)}
        ${each(tileRows, (r) => `let value${r} = ${accumulate ? `c[at${r}] + ` : ""}${valueOf(r)}${bias ? " + added" : ""};`)}
        ${each(tileRows, (r) => `c[at${r}] = value${r};`)}
      }`;
}

/** `c (+)= a · wᵀ (+ bias)`: a lane owns `tileRows` × `tileColumns` outputs. */
export const packedMatmulNtFlat: Kernel<
  PackedMatmulFlatConstants & { readonly tileColumns: number },
  typeof MATMUL_PARAMS,
  typeof MATMUL_BUFFERS
> = {
  name: "packedMatmulNtFlat",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: (constants) => {
    const { alignment, tileRows, tileColumns, subgroupSize } = constants;
    const shared = subgroupSize > 0;
    const ragged = alignment < RUN;
    // A lane loads one of every `step` elements of a row for all, or all of them for itself.
    const step = shared ? subgroupSize : 1;
    const groups = Math.ceil(RUN / step);
    const loadA = (r: number, g: number) => {
      const k = `k + ${g * step}u${shared ? " + lane" : ""}`;
      return ragged
        ? `let a${r}x${g} = select(0.0, a[row${r} + min(${k}, params.depth - 1u)], ${k} < params.depth);`
        : `let a${r}x${g} = a[row${r} + ${shared ? `min(${k}, params.depth - 1u)` : k}];`;
    };
    const elementA = (r: number, i: number) => {
      const name = `a${r}x${Math.floor(i / step)}`;
      return shared ? `subgroupBroadcast(${name}, ${i % step}u)` : name;
    };
    const masked = (j: number) => (ragged ? `v${j}x` : `w${j}x`);
    const mask = (j: number) =>
      ragged
        ? maskRun(constants, { from: `v${j}x`, to: `w${j}x`, k: "k", width: "params.depth" })
        : "";
    return wgsl`
    ${shared ? "enable subgroups;" : ""}
    ${packedMatmulBindings(constants)}

    ${header(constants, tileColumns)}
      ${each(tileRows, (r) => `let row${r} = min(row + ${r}u, lastRow) * params.aStride + params.aBegin;`)}
      ${each(tileColumns, (j) => `let column${j} = min(column + ${j}u, params.numColumns - 1u);`)}
      ${each(tileRows, (r) => each(tileColumns, (j) => `var sum${r}x${j} = 0.0;`))}

      let numRuns = (params.depth + ${RUN - 1}u) / ${RUN}u;
      for (var run = 0u; run < numRuns; run++) {
        let k = run * ${RUN}u;
        ${each(tileColumns, (j) => `${loadRun(constants, { name: masked(j), row: `column${j}`, run: "run", width: "params.depth" })} ${mask(j)}`)}
        ${each(tileRows, (r) => each(groups, (g) => loadA(r, g)))}
        ${each(tileRows, (r) =>
          each(RUN, (i) => {
            const sums = each(
              tileColumns,
              (j) => `sum${r}x${j} = fma(x${r}x${i}, ${elementOf(`w${j}x`, i)}, sum${r}x${j});`,
            );
            return `let x${r}x${i} = ${elementA(r, i)}; ${sums}`;
          }),
        )}
      }

      ${each(tileColumns, (j) => storeColumn(constants, j, (r) => `sum${r}x${j}`))}
    }`;
  },
};

/** `c (+)= a · w (+ bias)`: a lane owns `tileRows` × 8 outputs, one run of every row of `w`. */
export const packedMatmulNnFlat: Kernel<
  PackedMatmulFlatConstants,
  typeof MATMUL_PARAMS,
  typeof MATMUL_BUFFERS
> = {
  name: "packedMatmulNnFlat",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: (constants) => {
    const { tileRows, subgroupSize } = constants;
    const shared = subgroupSize > 0;
    const loads = shared ? Math.ceil(tileRows / subgroupSize) : tileRows;
    const rowOf = (g: number) => (shared ? `${g * subgroupSize}u + lane` : `${g}u`);
    const elementA = (r: number) =>
      shared
        ? `subgroupBroadcast(a${Math.floor(r / subgroupSize)}, ${r % subgroupSize}u)`
        : `a${r}`;
    return wgsl`
    ${shared ? "enable subgroups;" : ""}
    ${packedMatmulBindings(constants)}

    ${header(constants, RUN)}
      ${each(loads, (g) => `let row${g} = min(row + ${rowOf(g)}, lastRow) * params.aStride + params.aBegin;`)}
      let run = min(column, params.numColumns - 1u) / ${RUN}u;
      ${each(tileRows, (r) => `var sum${r}x0 = vec4f(); var sum${r}x1 = vec4f();`)}

      for (var n = 0u; n < params.depth; n++) {
        ${loadRun(constants, { name: "w", row: "n", run: "run", width: "params.numColumns" })}
        ${each(loads, (g) => `let a${g} = a[row${g} + n];`)}
        ${each(tileRows, (r) => `let x${r} = vec4f(${elementA(r)}); sum${r}x0 = fma(x${r}, w0, sum${r}x0); sum${r}x1 = fma(x${r}, w1, sum${r}x1);`)}
      }

      ${each(RUN, (i) => storeColumn(constants, i, (r) => elementOf(`sum${r}x`, i)))}
    }`;
  },
};
