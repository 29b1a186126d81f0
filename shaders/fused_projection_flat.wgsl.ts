/**
 * Fused projections for software adapters: no workgroup memory, no barriers. A lane owns a register
 * tile of the outputs; products are added in ascending order, and rows are normalized as
 * `rms_norm.wgsl.ts` and `layer_norm.wgsl.ts` do it, so that the results have the bits of the ops
 * that they stand for.
 *
 * Each workgroup finds the moments of its rows anew, a lane a row where lanes can tell each other:
 * that is little beside its products, and far less than a dispatch.
 */
import {
  type FusedConstants,
  fusedBindings,
  indexOf,
  resultOf,
  findTile,
  inSet,
} from "./fused_projection.wgsl.ts";
import { elementOf, loadRun, maskRun, RUN } from "./packed.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Constants of the flat variant. */
export interface FusedFlatConstants extends FusedConstants {
  /** Columns of each matrix that a lane takes. */
  readonly tileColumns: number;
  readonly workgroupSize: number;
  /** Lanes of a subgroup, equal to `workgroupSize`, to share loads of `x` in; 0 for none. */
  readonly subgroupSize: number;
}

/** WGSL function `momentsOf(begin) -> vec2f`: mean, or 0, and 1 / deviation of the row there. */
function momentsFunction({ norm }: FusedConstants): string {
  if (norm === "none") return "";
  const mean =
    norm === "rmsNorm"
      ? "let mean = 0.0;"
      : `var sum = 0.0;
      for (var i = 0u; i < params.depth; i++) { sum += x[begin + i]; }
      let mean = sum / f32(params.depth);`;
  const distance = norm === "rmsNorm" ? "x[begin + i]" : "x[begin + i] - mean";
  return `fn momentsOf(begin: u32) -> vec2f {
      ${mean}
      var sumOfSquares = 0.0;
      for (var i = 0u; i < params.depth; i++) {
        let distance = ${distance};
        sumOfSquares = fma(distance, distance, sumOfSquares);
      }
      return vec2f(mean, inverseSqrt(sumOfSquares / f32(params.depth) + params.eps));
    }`;
}

/** Declares `moments`r of every row of the tile. */
function moments({ norm, tileRows, subgroupSize }: FusedFlatConstants): string {
  if (norm === "none") return "";
  if (subgroupSize === 0) return each(tileRows, (r) => `let moments${r} = momentsOf(row${r});`);
  return `${each(Math.ceil(tileRows / subgroupSize), (g) => `let moments${g}of = momentsOf(min(row + min(${g * subgroupSize}u + lane, ${tileRows - 1}u), lastRow) * params.aStride + params.aBegin);`)}
      ${each(tileRows, (r) => `let moments${r} = subgroupBroadcast(moments${Math.floor(r / subgroupSize)}of, ${r % subgroupSize}u);`)}`;
}

/** Declares `a`r`x`g: a load of row `r`, normalized; and `at`g and so on, which all rows share. */
function loads(constants: FusedFlatConstants): string {
  const { tileRows, alignment, subgroupSize, norm, shift } = constants;
  const shared = subgroupSize > 0;
  const ragged = alignment < RUN;
  const groups = Math.ceil(RUN / (shared ? subgroupSize : 1));
  const k = (g: number) => `k + ${g * (shared ? subgroupSize : 1)}u${shared ? " + lane" : ""}`;
  const inside = (g: number) => (ragged || shared ? `min(${k(g)}, params.depth - 1u)` : k(g));
  const value = (r: number, g: number) => {
    const element = `x[row${r} + at${g}]`;
    if (norm === "none") return element;
    const distance = norm === "rmsNorm" ? element : `(${element} - moments${r}.x)`;
    return `${distance} * moments${r}.y * gain${g}${shift ? ` + shift${g}` : ""}`;
  };
  return `${each(groups, (g) => `let at${g} = ${inside(g)};${norm === "none" ? "" : ` let gain${g} = gain[at${g}];`}${shift ? ` let shift${g} = shift[at${g}];` : ""}`)}
        ${each(tileRows, (r) => each(groups, (g) => `let a${r}x${g} = ${ragged ? `select(0.0, ${value(r, g)}, ${k(g)} < params.depth)` : value(r, g)};`))}`;
}

/** Element `i` of the run of row `r`. */
function element({ subgroupSize }: FusedFlatConstants, r: number, i: number): string {
  if (subgroupSize === 0) return `a${r}x${i}`;
  return `subgroupBroadcast(a${r}x${Math.floor(i / subgroupSize)}, ${i % subgroupSize}u)`;
}

/** The products of one set of matrices, and what is made of them. */
function product(constants: FusedFlatConstants, set: readonly number[]): string {
  const { alignment, tileRows, tileColumns } = constants;
  const ragged = alignment < RUN;
  // Columns of all matrices of the set: those of the gate before those of what it gates.
  const columns = set.flatMap((matrix) =>
    Array.from({ length: tileColumns }, (_, j) => ({ matrix, j, name: `${matrix}x${j}` })),
  );
  const names = (one: { matrix: number; j: number; name: string }) => ({
    name: `${ragged ? "v" : "w"}${one.name}x`,
    binding: `w${one.matrix}`,
    row: `column${one.j}`,
    run: "run",
    width: "params.depth",
  });
  const perColumn = (line: (one: (typeof columns)[number]) => string) =>
    columns.map(line).join("\n        ");
  return `let column = firstColumn + lane * ${tileColumns}u;
        ${each(tileColumns, (j) => `let column${j} = min(column + ${j}u, params.numColumns${set[0]} - 1u);`)}
        ${each(tileRows, (r) => perColumn(({ name }) => `var sum${r}x${name} = 0.0;`))}
        for (var run = 0u; run < (params.depth + ${RUN - 1}u) / ${RUN}u; run++) {
          let k = run * ${RUN}u;
          ${perColumn((one) => `${loadRun(constants, names(one))} ${ragged ? maskRun(constants, { from: `v${one.name}x`, to: `w${one.name}x`, k: "k", width: "params.depth" }) : ""}`)}
          ${loads(constants)}
          ${each(tileRows, (r) =>
            each(
              RUN,
              (i) => `let x${r}x${i} = ${element(constants, r, i)};
          ${perColumn(({ name }) => `sum${r}x${name} = fma(x${r}x${i}, ${elementOf(`w${name}x`, i)}, sum${r}x${name});`)}`,
            ),
          )}
        }
        ${each(tileColumns, (j) => storeColumn(constants, set, j))}`;
}

/** A row beyond the last was computed as the last one, and may be stored in its place. */
function storeColumn(constants: FusedFlatConstants, set: readonly number[], j: number): string {
  const { tileRows } = constants;
  const n = `(column + ${j}u)`;
  const m = (r: number) => `min(row + ${r}u, lastRow)`;
  const sums = (r: number) => set.map((matrix) => `sum${r}x${matrix}x${j}`);
  return `if (column + ${j}u < params.numColumns${set[0]}) {
          ${each(tileRows, (r) => `let at${r} = ${indexOf(constants, set, { m: m(r), n })};`)}
          ${each(tileRows, (r) => `let value${r} = ${resultOf(constants, set, { sums: sums(r), n, at: `at${r}` })};`)}
          ${each(tileRows, (r) => `y[at${r}] = value${r};`)}
        }`;
}

/** WGSL of the flat variant. */
export function fusedFlatCode(constants: FusedFlatConstants): string {
  const { workgroupSize, subgroupSize, tileRows, tileColumns } = constants;
  return wgsl`
    ${subgroupSize > 0 ? "enable subgroups;" : ""}
    ${fusedBindings(constants, 1)}
    ${momentsFunction(constants)}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${subgroupSize > 0 ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32,
    ) {
      ${findTile(constants, workgroupSize * tileColumns)}
      ${inSet(
        constants,
        workgroupSize * tileColumns,
        (
          set,
        ) => `${each(tileRows, (r) => `let row${r} = min(row + ${r}u, lastRow) * params.aStride + params.aBegin;`)}
        ${moments(constants)}
        ${product(constants, set)}`,
      )}
    }`;
}
