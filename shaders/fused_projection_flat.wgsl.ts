/**
 * Fused projections for software adapters: no workgroup memory, no barriers. A lane owns a register
 * tile of the outputs; products are added in ascending order, and rows are normalized as
 * `rms_norm.wgsl.ts` and `layer_norm.wgsl.ts` do it, so that the results have the bits of the ops
 * that they stand for.
 *
 * Each workgroup finds the moments of its rows anew, which costs less than a dispatch where rows are
 * narrow; lanes share the loads where they can.
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

/** WGSL statements that run `body` for every `value` of the row at `begin`, in ascending order. */
function eachValue({ subgroupSize }: FusedFlatConstants, body: (value: string) => string): string {
  if (subgroupSize === 0) {
    return `for (var i = 0u; i < params.depth; i++) { let value = x[begin + i]; ${body("value")} }`;
  }
  return `for (var k = 0u; k < params.depth; k += ${subgroupSize}u) {
        let own = x[begin + min(k + lane, params.depth - 1u)];
        ${each(subgroupSize, (i) => `{ let value = subgroupBroadcast(own, ${i}u); if (k + ${i}u < params.depth) { ${body("value")} } }`)}
      }`;
}

/** WGSL function `momentsOf(begin, lane) -> vec2f`: mean, or 0, and 1 / deviation of the row there. */
function momentsFunction(constants: FusedFlatConstants): string {
  const { norm } = constants;
  if (norm === "none") return "";
  const mean =
    norm === "rmsNorm"
      ? "let mean = 0.0;"
      : `var sum = 0.0;
      ${eachValue(constants, (value) => `sum += ${value};`)}
      let mean = sum / f32(params.depth);`;
  const distance = (value: string) => (norm === "rmsNorm" ? value : `${value} - mean`);
  return `fn momentsOf(begin: u32, lane: u32) -> vec2f {
      ${mean}
      var sumOfSquares = 0.0;
      ${eachValue(constants, (value) => `let distance = ${distance(value)}; sumOfSquares = fma(distance, distance, sumOfSquares);`)}
      return vec2f(mean, inverseSqrt(sumOfSquares / f32(params.depth) + params.eps));
    }`;
}

/** Declares `moments`r of every row of the tile. */
function moments({ norm, tileRows }: FusedFlatConstants): string {
  if (norm === "none") return "";
  return each(tileRows, (r) => `let moments${r} = momentsOf(row${r}, lane);`);
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
    const loaded = `x[row${r} + at${g}]`;
    if (norm === "none") return loaded;
    const distance = norm === "rmsNorm" ? loaded : `(${loaded} - moments${r}.x)`;
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
