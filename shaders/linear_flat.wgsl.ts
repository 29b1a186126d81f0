/**
 * Matrix products for software adapters: no workgroup memory, no barriers.
 *
 *     nn  c[m, n] = Σ_k a[m, k] · b[k, n]
 *     nt  c[m, n] = Σ_k a[m, k] · b[n, k]
 *     tn  c[m, n] = Σ_k a[k, m] · b[k, n]
 *
 * A lane owns a register tile of `tileRows` × `tileColumns`; a workgroup is one row of such tiles.
 * On a software adapter every load costs one scalar load a lane, and all lanes want the same rows
 * of `a`: so where a workgroup is one subgroup, each lane loads another row and the rest hear of it
 * by broadcast, which is all in registers. Indices are clamped rather than tested, so that the
 * inner loop has no branches.
 *
 * `a` and `c` may be windows of columns of wider matrices, so that a product whose `b` is too large
 * to be bound at once can be computed part by part.
 */
import { kernel, paramsBinding, type Storage } from "./kernel.ts";
import { enableF16 } from "./elementwise.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Which operand of a product is transposed: none, the second, or the first. */
export type Layout = "nn" | "nt" | "tn";

/** How each operand of a product is stored. */
export type MatmulStorage = Readonly<Record<"a" | "b" | "bias" | "c", Storage>>;

/** `enable f16;` where an operand needs it; goes first in a kernel. */
export function enableF16Of(storage: MatmulStorage): string {
  return enableF16(Object.values(storage).includes("f16") ? "f16" : "f32");
}

/** Constants shared by both variants of the product. */
export interface MatmulConstants {
  readonly layout: Layout;
  /** Of each operand; sums are in f32. */
  readonly storage: MatmulStorage;
  /** Adds to `c` instead of storing. */
  readonly accumulate: boolean;
  /** Adds `bias[cBegin + n]` to every row; without it, `bias` is bound but unread. */
  readonly bias: boolean;
}

/** Constants of {@linkcode matmulFlat}. */
export interface MatmulFlatConstants extends MatmulConstants {
  readonly tileRows: number;
  readonly tileColumns: number;
  readonly workgroupSize: number;
  /** Lanes of a subgroup, equal to `workgroupSize`, to share loads of `a` in; 0 for none. */
  readonly subgroupSize: number;
}

/** `aStride` and `cStride` are the columns of the matrices that `a` and `c` are windows of. */
export const MATMUL_PARAMS = {
  numRows: "u32",
  numColumns: "u32",
  depth: "u32",
  aStride: "u32",
  aBegin: "u32",
  cStride: "u32",
  cBegin: "u32",
} as const;

/** Operands of every matrix product. */
export const MATMUL_BUFFERS = { a: "read", b: "read", bias: "read", c: "read_write" } as const;

/** `c (+)= a · b (+ bias)`, one register tile a lane. */
export const matmulFlat = kernel({
  name: "matmulFlat",
  params: MATMUL_PARAMS,
  buffers: MATMUL_BUFFERS,
  code: ({
    layout,
    storage,
    accumulate,
    bias,
    tileRows,
    tileColumns,
    workgroupSize,
    subgroupSize,
  }: MatmulFlatConstants) => {
    const shared = subgroupSize > 0;
    const rowOf = (row: string) =>
      `min(row + ${row}, params.numRows - 1u)${layout === "tn" ? "" : " * params.aStride"} + params.aBegin`;
    const loadA = (row: string) =>
      `f32(a[${layout === "tn" ? `k * params.aStride + ${row}` : `${row} + k`}])`;
    // With subgroups each lane loads one row's element for all; without, each lane loads them all.
    const loads = shared ? Math.ceil(tileRows / subgroupSize) : tileRows;
    const elementA = (r: number) =>
      shared
        ? `subgroupBroadcast(a${Math.floor(r / subgroupSize)}, ${r % subgroupSize}u)`
        : `a${r}`;
    const sum = (row: number, column: number) => `sum${row}x${column}`;
    const store = (row: number, column: number) => {
      const value = `${sum(row, column)}${bias ? ` + f32(bias[n])` : ""}`;
      return accumulate
        ? `c[i] = ${storage.c}(f32(c[i]) + ${value});`
        : `c[i] = ${storage.c}(${value});`;
    };
    return wgsl`
    ${enableF16Of(storage)}
    ${shared ? "enable subgroups;" : ""}
    ${paramsBinding(MATMUL_PARAMS)}
    @group(0) @binding(1) var<storage, read> a: array<${storage.a}>;
    @group(0) @binding(2) var<storage, read> b: array<${storage.b}>;
    @group(0) @binding(3) var<storage, read> bias: array<${storage.bias}>;  // [cStride]
    @group(0) @binding(4) var<storage, read_write> c: array<${storage.c}>;  // [numRows, cStride]

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${shared ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32,
    ) {
      let tilesAcross = (params.numColumns + ${workgroupSize * tileColumns - 1}u) / ${workgroupSize * tileColumns}u;
      let tile = workgroup.y * grid.x + workgroup.x;
      let row = tile / tilesAcross * ${tileRows}u;
      let column = (tile % tilesAcross * ${workgroupSize}u + lane) * ${tileColumns}u;
      if (row >= params.numRows) { return; }

      ${each(loads, (g) => `let row${g} = ${rowOf(shared ? `${g * subgroupSize}u + lane` : `${g}u`)};`)}
      ${each(tileColumns, (j) => `let column${j} = min(column + ${j}u, params.numColumns - 1u)${layout === "nt" ? " * params.depth" : ""};`)}
      ${each(tileRows, (r) => each(tileColumns, (j) => `var ${sum(r, j)} = 0.0;`))}

      for (var k = 0u; k < params.depth; k++) {
        ${each(tileColumns, (j) => `let b${j} = f32(b[${layout === "nt" ? `column${j} + k` : `k * params.numColumns + column${j}`}]);`)}
        ${each(loads, (g) => `let a${g} = ${loadA(`row${g}`)};`)}
        ${each(tileRows, (r) => `let x${r} = ${elementA(r)}; ${each(tileColumns, (j) => `${sum(r, j)} = fma(x${r}, b${j}, ${sum(r, j)});`)}`)}
      }

      ${each(
        tileColumns,
        (j) => `if (column + ${j}u < params.numColumns) {
        let n = params.cBegin + column + ${j}u;
        ${each(tileRows, (r) => `if (row + ${r}u < params.numRows) { let i = (row + ${r}u) * params.cStride + n; ${store(r, j)} }`)}
      }`,
      )}
    }`;
  },
});
