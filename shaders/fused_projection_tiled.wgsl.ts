/**
 * Fused projections of few rows for GPUs. Reading the weights is all the work: neighboring lanes read
 * neighboring 16 bytes of a row of the weight, or neighboring words of its blocks, each lane for some
 * rows of the weight at a time, so that many loads are under way and a load of `x` serves them all.
 * Every lane keeps sums of its own; the sums of the lanes that `share` a row of the weight are then
 * added, in a subgroup or as a tree, in an order that is the same for every row of `x`.
 *
 * A root mean square costs no pass of its own: it is one factor of a row, so that the squares are
 * summed beside the products. A layer norm takes two passes over `x` before.
 */
import {
  type FusedConstants,
  fusedBindings,
  findTile,
  indexOf,
  inSet,
  resultOf,
} from "./fused_projection.wgsl.ts";
import { loadRun, maskRun, RUN } from "./packed.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

/** Constants of the tiled variant. */
export interface FusedTiledConstants extends FusedConstants {
  /** Lanes of a workgroup. */
  readonly lanes: number;
  /** Lanes that share a row of the weight; a power of two that divides `lanes`. */
  readonly share: number;
  /** Rows of each weight that they take at a time. */
  readonly columns: number;
  /** Lanes of a subgroup, equal to `lanes` and `share`, to add sums in; 0 for a tree. */
  readonly subgroupSize: number;
  /** Whether rows of `x` can be read four elements at a time. */
  readonly vectors: boolean;
}

/** Elements of a weight that a lane takes at a time: 16 bytes of f32, else a run. */
export function chunkOf({
  weight,
  alignment,
}: Pick<FusedConstants, "weight" | "alignment">): number {
  return weight === "f32" && alignment >= 4 ? 4 : RUN;
}

/** Sums of a lane: of rows, matrices that share a workgroup, and columns. */
function sumsOf({ tileRows, gated, norm }: FusedConstants, columns: number): number {
  return tileRows * columns * (gated ? 2 : 1) + (norm === "rmsNorm" ? tileRows : 0);
}

/** Bytes of workgroup memory that a kernel declares. */
export function fusedTiledBytes(constants: FusedTiledConstants): number {
  const { lanes, columns, subgroupSize, norm } = constants;
  if (subgroupSize > 0) return 0;
  return 4 * lanes * (sumsOf(constants, columns) + (norm === "layerNorm" ? 1 : 0));
}

/** Columns of the results that a workgroup takes. */
export function columnsOf({ lanes, share, columns }: FusedTiledConstants): number {
  return (lanes / share) * columns;
}

/** Indices of the sums of a lane by row, matrix of the set and column; those of squares come last. */
function sumIndex(constants: FusedTiledConstants) {
  const { columns, gated, tileRows } = constants;
  const matrices = gated ? 2 : 1;
  return {
    of: (r: number, m: number, j: number) => (r * matrices + m) * columns + j,
    ofSquares: (r: number) => tileRows * matrices * columns + r,
  };
}

/** WGSL statements that declare a chunk of `x`: vectors `<name>`v, or of the gain or shift. */
function loadVectors(
  constants: FusedTiledConstants,
  { name, of, begin }: { readonly name: string; readonly of: string; readonly begin: string },
): string {
  const { vectors, alignment } = constants;
  const chunk = chunkOf(constants);
  const element = (i: number) =>
    alignment < chunk
      ? `select(0.0, ${of}[${begin} + k + min(${i}u, last)], ${i}u <= last)`
      : `${of}[${begin} + k + ${i}u]`;
  return each(chunk / 4, (v) =>
    vectors
      ? `let ${name}${v} = ${of}[(${begin} + k) / 4u + ${v}u];`
      : `let ${name}${v} = vec4f(${[0, 1, 2, 3].map((i) => element(4 * v + i)).join(", ")});`,
  );
}

/** WGSL statements that declare a chunk of a row of a weight: vectors `w<name>x`v. */
function loadWeight(
  constants: FusedTiledConstants,
  { matrix, j, name }: { readonly matrix: number; readonly j: number; readonly name: string },
): string {
  if (chunkOf(constants) === 4) {
    return `let w${name}x0 = w${matrix}[column${j} * (params.depth / 4u) + chunk];`;
  }
  const ragged = constants.alignment < RUN;
  const at = { row: `column${j}`, run: "chunk", width: "params.depth", binding: `w${matrix}` };
  const load = loadRun(constants, { name: `${ragged ? "v" : "w"}${name}x`, ...at });
  if (!ragged) return load;
  return `${load} ${maskRun(constants, { from: `v${name}x`, to: `w${name}x`, k: "k", width: "params.depth" })}`;
}

/** Declares the chunk of row `r` as it is multiplied, and adds its squares. */
function loadRow(constants: FusedTiledConstants, r: number): string {
  const { norm, shift } = constants;
  const numVectors = chunkOf(constants) / 4;
  const index = sumIndex(constants);
  const normed = (v: number) => {
    if (norm === "none") return `x${r}x${v}`;
    if (norm === "rmsNorm") return `x${r}x${v} * gain${v}`;
    const moved = `(x${r}x${v} - vec4f(moments${r}.x)) * moments${r}.y * gain${v}`;
    return `${moved}${shift ? ` + shift${v}` : ""}`;
  };
  const squares = `sum${index.ofSquares(r)}`;
  return `${loadVectors(constants, { name: `x${r}x`, of: "x", begin: `row${r}` })}
          ${norm === "rmsNorm" ? each(numVectors, (v) => `${squares} = fma(x${r}x${v}, x${r}x${v}, ${squares});`) : ""}
          ${each(numVectors, (v) => `let n${r}x${v} = ${normed(v)};`)}`;
}

/** The loop over the depth that sums the products of a set. */
function accumulate(constants: FusedTiledConstants, set: readonly number[]): string {
  const { tileRows, columns, share, norm, shift } = constants;
  const chunk = chunkOf(constants);
  const index = sumIndex(constants);
  const all = set.flatMap((matrix, m) =>
    Array.from({ length: columns }, (_, j) => ({ matrix, m, j, name: `${matrix}x${j}` })),
  );
  return `let column = firstColumn + lane / ${share}u * ${columns}u;
        ${each(columns, (j) => `let column${j} = min(column + ${j}u, params.numColumns${set[0]} - 1u);`)}
        for (var chunk = lane % ${share}u; chunk < (params.depth + ${chunk - 1}u) / ${chunk}u; chunk += ${share}u) {
          let k = chunk * ${chunk}u;
          let last = params.depth - 1u - k;
          ${all.map((one) => loadWeight(constants, one)).join("\n          ")}
          ${norm === "none" ? "" : loadVectors(constants, { name: "gain", of: "gain", begin: "0u" })}
          ${shift ? loadVectors(constants, { name: "shift", of: "shift", begin: "0u" }) : ""}
          ${each(
            tileRows,
            (r) => `${loadRow(constants, r)}
          ${all
            .map(({ m, j, name }) => {
              const sum = `sum${index.of(r, m, j)}`;
              return each(chunk / 4, (v) => `${sum} = fma(n${r}x${v}, w${name}x${v}, ${sum});`);
            })
            .join("\n          ")}`,
          )}
        }`;
}

/** WGSL function `groupSum(value, lane)`: the sum over the lanes that share a row, for all of them. */
function groupSumFunction({ lanes, share, subgroupSize, norm }: FusedTiledConstants): string {
  if (norm !== "layerNorm") return "";
  if (subgroupSize > 0) {
    return "fn groupSum(value: f32, lane: u32) -> f32 { return subgroupAdd(value); }";
  }
  return `var<workgroup> shares: array<f32, ${lanes}>;
    fn groupSum(value: f32, lane: u32) -> f32 {
      shares[lane] = value;
      workgroupBarrier();
      for (var half = ${share / 2}u; half > 0u; half /= 2u) {
        if (lane % ${share}u < half) { shares[lane] += shares[lane + half]; }
        workgroupBarrier();
      }
      let sum = shares[lane - lane % ${share}u];
      workgroupBarrier();
      return sum;
    }`;
}

/** Declares `moments`r of every row: the mean and 1 / deviation. */
function moments({ norm, tileRows, share, vectors }: FusedTiledConstants): string {
  if (norm !== "layerNorm") return "";
  const step = vectors ? 4 : 1;
  const zero = vectors ? "vec4f()" : "0.0";
  const at = (r: number) => `x[(row${r} + i)${vectors ? " / 4u" : ""}]`;
  const total = (name: string) =>
    vectors ? `(${name}.x + ${name}.y) + (${name}.z + ${name}.w)` : name;
  const walk = `for (var i = lane % ${share}u * ${step}u; i < params.depth; i += ${share * step}u)`;
  return each(
    tileRows,
    (r) => `var all${r} = ${zero};
      ${walk} { all${r} += ${at(r)}; }
      let mean${r} = groupSum(${total(`all${r}`)}, lane) / f32(params.depth);
      var squares${r} = ${zero};
      ${walk} { let distance = ${at(r)} - mean${r}; squares${r} = fma(distance, distance, squares${r}); }
      let variance${r} = groupSum(${total(`squares${r}`)}, lane) / f32(params.depth);
      let moments${r} = vec2f(mean${r}, inverseSqrt(variance${r} + params.eps));`,
  );
}

/** Adds the sums of the lanes that share a row: `total`i, right in the first of them. */
function reduce(constants: FusedTiledConstants): string {
  const { lanes, share, subgroupSize, columns } = constants;
  const count = sumsOf(constants, columns);
  const own = (i: number) => `(sum${i}.x + sum${i}.y) + (sum${i}.z + sum${i}.w)`;
  if (subgroupSize > 0) return each(count, (i) => `let total${i} = subgroupAdd(${own(i)});`);
  return `${each(count, (i) => `sums[${i * lanes}u + lane] = ${own(i)};`)}
      workgroupBarrier();
      for (var half = ${share / 2}u; half > 0u; half /= 2u) {
        if (lane % ${share}u < half) {
          for (var i = lane; i < ${count * lanes}u; i += ${lanes}u) { sums[i] += sums[i + half]; }
        }
        workgroupBarrier();
      }
      ${each(count, (i) => `let total${i} = sums[${i * lanes}u + lane];`)}`;
}

/** Stores the results of a set, by the first of the lanes that share a row. */
function store(constants: FusedTiledConstants, set: readonly number[]): string {
  const { tileRows, columns, share, norm } = constants;
  const index = sumIndex(constants);
  const result = (r: number, j: number) => {
    const sums = set.map(
      (_, m) => `total${index.of(r, m, j)}${norm === "rmsNorm" ? ` * rstd${r}` : ""}`,
    );
    const n = `(column + ${j}u)`;
    return `if (row + ${r}u <= lastRow && column + ${j}u < params.numColumns${set[0]}) {
          let at = ${indexOf(constants, set, { m: `(row + ${r}u)`, n })};
          y[at] = ${resultOf(constants, set, { sums, n, at: "at" })};
        }`;
  };
  const rstd = (r: number) =>
    `let rstd${r} = inverseSqrt(total${index.ofSquares(r)} / f32(params.depth) + params.eps);`;
  return `let column = firstColumn + lane / ${share}u * ${columns}u;
        ${norm === "rmsNorm" ? each(tileRows, rstd) : ""}
        ${each(tileRows, (r) => each(columns, (j) => result(r, j)))}`;
}

/** WGSL of the tiled variant. */
export function fusedTiledCode(constants: FusedTiledConstants): string {
  const { lanes, share, columns, subgroupSize, vectors, tileRows } = constants;
  const count = sumsOf(constants, columns);
  const across = columnsOf(constants);
  return wgsl`
    ${subgroupSize > 0 ? "enable subgroups;" : ""}
    ${fusedBindings(constants, vectors ? 4 : 1)}
    ${subgroupSize > 0 ? "" : `var<workgroup> sums: array<f32, ${count * lanes}>;  // [sums, lanes]`}
    ${groupSumFunction(constants)}

    @compute @workgroup_size(${lanes})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${subgroupSize > 0 ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32,
    ) {
      ${findTile(constants, across)}
      ${each(tileRows, (r) => `let row${r} = min(row + ${r}u, lastRow) * params.aStride + params.aBegin;`)}
      ${each(count, (i) => `var sum${i} = vec4f();`)}
      ${moments(constants)}
      ${inSet(constants, across, (set) => accumulate(constants, set))}
      ${reduce(constants)}
      if (lane % ${share}u == 0u) {
        ${inSet(constants, across, (set) => store(constants, set))}
      }
    }`;
}
