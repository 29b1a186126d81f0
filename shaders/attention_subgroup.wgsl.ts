/**
 * What the attention kernels of software adapters share: a workgroup is one subgroup, and owns
 * `rows` queries (or keys) of a head; it walks over the keys (or queries) `walked` vectors of lanes
 * at a time.
 *
 * On such an adapter loads are what costs, some twenty times a multiply-add. So one load serves
 * many rows, first as dot products, where a lane holds one walked row and hears of the block's rows
 * by broadcast; then as weighted sums, where a lane holds columns and hears of the weights by
 * shuffle. All loops over the head are loops in WGSL too: code unrolled over the head takes such an
 * adapter seconds to compile. What is unrolled over the rows has no branches, so no `&&`: SwiftShader
 * took minutes, and 13 GB, to compile 32 of them in one loop.
 */
import { ATTENTION_PARAMS, loadsOf, storageType } from "./attention_walk.wgsl.ts";
import { enableF16, storageBindings } from "./elementwise.wgsl.ts";
import { type Access, paramsBinding, type Storage } from "./kernel.ts";
import { each } from "./wgsl.ts";

/** Constants of the kernels for subgroups. */
export interface SubgroupAttentionConstants {
  /** A multiple of 4. */
  readonly headDim: number;
  readonly storage: Storage;
  /** Lanes of a subgroup, a power of two. */
  readonly subgroupSize: number;
  /** Rows that a workgroup owns. */
  readonly rows: number;
  /** Vectors of `subgroupSize` rows that are walked over at a time. */
  readonly walked: number;
}

/** Everything before the entry point. */
export function declarations(
  { headDim, storage, subgroupSize }: SubgroupAttentionConstants,
  buffers: Readonly<Record<string, Access>>,
): string {
  const typeOf = (name: string) => {
    if (name === "spans") return "u32";
    return name === "statistics" ? "vec2f" : storageType(headDim, storage);
  };
  const butterfly = (join: (other: string) => string) =>
    each(Math.log2(subgroupSize), (i) => `x = ${join(`subgroupShuffleXor(x, ${2 ** i}u)`)};`, " ");
  return `${enableF16(storage)}
    enable subgroups;
    ${paramsBinding(ATTENTION_PARAMS)}
    ${storageBindings(buffers, typeOf)}

    fn greatest(one: f32) -> f32 { var x = one; ${butterfly((other) => `max(x, ${other})`)} return x; }
    fn total(one: f32) -> f32 { var x = one; ${butterfly((other) => `x + ${other}`)} return x; }
    fn product(sum: f32, a: vec4f, b: vec4f) -> f32 {
      return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
    }`;
}

/** Entry point: finds the row, head and block of this workgroup, then runs `body`. */
export function subgroupEntryPoint(
  { headDim, subgroupSize, rows }: SubgroupAttentionConstants,
  heads: "numHeads" | "numKvHeads",
  body: string,
): string {
  return `@compute @workgroup_size(${subgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(subgroup_invocation_id) lane: u32,
    ) {
      let numBlocks = (params.seqLen + ${rows - 1}u) / ${rows}u;
      let index = workgroup.y * grid.x + workgroup.x;
      let head = index / numBlocks % params.${heads};
      let row = index / numBlocks / params.${heads};
      if (row >= params.numRows) { return; }
      let base = row * params.seqLen;
      let begin = index % numBlocks * ${rows}u;
      let last = min(begin + ${rows}u, params.seqLen) - 1u;
      let group = params.numHeads / params.numKvHeads;
      // A count that the compiler does not know: it would unroll the loops over the head.
      let headLoads = params.numHeads * ${loadsOf(headDim)}u / params.numHeads;
      let dHeads = params.numHeads * ${loadsOf(headDim)}u;
      let dKvHeads = params.numKvHeads * ${loadsOf(headDim)}u;
      ${each(rowVectorsOf({ rows, subgroupSize }), (g) => `let own${g} = min(begin + ${g * subgroupSize}u + lane, last);`)}
      ${body}
    }`;
}

/** How many vectors of lanes hold one number for each row. */
export function rowVectorsOf({
  rows,
  subgroupSize,
}: Pick<SubgroupAttentionConstants, "rows" | "subgroupSize">): number {
  return Math.ceil(rows / subgroupSize);
}

/** Row `r`'s value of vectors `name0`, `name1` … that hold one value a row. */
export function ofRow({ subgroupSize }: SubgroupAttentionConstants, name: string, r: number) {
  return `subgroupBroadcast(${name}${Math.floor(r / subgroupSize)}, ${r % subgroupSize}u)`;
}

/** Loads of a head that one lane holds. */
export function columnsOf({
  headDim,
  subgroupSize,
}: Pick<SubgroupAttentionConstants, "headDim" | "subgroupSize">): number {
  return Math.ceil(loadsOf(headDim) / subgroupSize);
}

/** Dot products of every owned row with every walked one. */
export interface Products {
  /** Name of the results: `name<r>x<j>` is that of row `r` and the lane's row of walked vector `j`. */
  readonly name: string;
  /** Buffer of the block's rows, which begin at `owned<g>`. */
  readonly owned: string;
  /** Buffer of the walked rows, which begin at `at<j>`. */
  readonly other: string;
}

/** Statements that compute all dot products of a step of the walk. */
export function products(constants: SubgroupAttentionConstants, all: readonly Products[]): string {
  const { rows, walked } = constants;
  return `${each(all.length * rows * walked, (i) => `var ${all[Math.floor(i / (rows * walked))]!.name}${Math.floor(i / walked) % rows}x${i % walked} = 0.0;`)}
        for (var i = 0u; i < headLoads; i++) {
          ${all
            .map(
              ({ name, owned, other }) => `
          ${each(rowVectorsOf(constants), (g) => `let ${owned}Of${g} = vec4f(${owned}[owned${g} + i]);`)}
          ${each(walked, (j) => `let ${other}${j} = vec4f(${other}[at${j} + i]);`)}
          ${each(
            rows,
            (r) => `let ${owned}Row${r} = ${ofRow(constants, `${owned}Of`, r)};
          ${each(walked, (j) => `${name}${r}x${j} = product(${name}${r}x${j}, ${owned}Row${r}, ${other}${j});`, " ")}`,
          )}`,
            )
            .join("")}
        }`;
}

/** Sums of walked rows, weighted, for every owned row. */
export interface Sums {
  /** Name of the sums: `name<r>x<c>` is the lane's load `c` of row `r`. */
  readonly name: string;
  /** Name of the weights, as those of {@linkcode Products}; overwritten. */
  readonly weight: string;
  /** Buffer of the walked rows. */
  readonly other: string;
}

/** Declares the sums. */
export function declareSums(constants: SubgroupAttentionConstants, name: string): string {
  const columns = columnsOf(constants);
  return each(
    constants.rows * columns,
    (i) => `var ${name}${Math.floor(i / columns)}x${i % columns} = vec4f();`,
  );
}

/**
 * Statements that add the rows of a step of the walk to all sums; `count` of them are left from `at`
 * on, and `offset` is the WGSL of where row `next` begins.
 */
export function addToSums(
  constants: SubgroupAttentionConstants,
  all: readonly Sums[],
  { offset, count }: { readonly offset: (at: string) => string; readonly count: string },
): string {
  const { subgroupSize, rows, walked } = constants;
  const columns = columnsOf(constants);
  return `let count = min(${walked * subgroupSize}u, ${count});
        for (var g = 0u; g < count; g += ${subgroupSize}u) {
          for (var j = 0u; j < min(${subgroupSize}u, count - g); j++) {
            let vector = ${offset("(at + g + j)")};
            ${all
              .map(
                ({ name, weight, other }) => `
            ${each(columns, (c) => `let ${other}${c} = vec4f(${other}[vector + column${c}]);`)}
            ${each(
              rows,
              (r) => `let ${weight}Of${r} = vec4f(subgroupShuffle(${weight}${r}x0, j));
            ${each(columns, (c) => `${name}${r}x${c} = fma(${weight}Of${r}, ${other}${c}, ${name}${r}x${c});`, " ")}`,
            )}`,
              )
              .join("")}
          }
          ${all.map(({ weight }) => each(rows, (r) => each(walked - 1, (j) => `${weight}${r}x${j} = ${weight}${r}x${j + 1};`, " "))).join("\n")}
        }`;
}

/** Declares which load of a head each of the lane's columns is, clamped into the head. */
export function declareColumns(constants: SubgroupAttentionConstants): string {
  const { headDim, subgroupSize } = constants;
  return each(
    columnsOf(constants),
    (c) => `let column${c} = min(${c * subgroupSize}u + lane, ${loadsOf(headDim) - 1}u);`,
  );
}

/** Statements that move every row's `names` to the row before it: registers have no index. */
export function shiftRows(rows: number, names: readonly string[]): string {
  return each(rows - 1, (r) =>
    names
      .map((name) => `${name.replace("#", `${r}`)} = ${name.replace("#", `${r + 1}`)};`)
      .join(" "),
  );
}

/** Names of a row's sums, for {@linkcode shiftRows}. */
export function sumNames(constants: SubgroupAttentionConstants, name: string): string[] {
  return Array.from({ length: columnsOf(constants) }, (_, c) => `${name}#x${c}`);
}

/** Statements that store, or add to, row `r` of `buffer`, which begins at load `vector`. */
export function storeRow(
  constants: SubgroupAttentionConstants,
  {
    buffer,
    vector,
    valueOf,
    accumulate = false,
  }: {
    readonly buffer: string;
    readonly vector: string;
    readonly valueOf: (column: number) => string;
    readonly accumulate?: boolean;
  },
): string {
  const { headDim, storage, subgroupSize } = constants;
  const element = storageType(headDim, storage);
  return each(columnsOf(constants), (c) => {
    const place = `${buffer}[${vector} + column${c}]`;
    const sum = accumulate ? `vec4f(${place}) + ${valueOf(c)}` : valueOf(c);
    const store = `${place} = ${element}(${sum});`;
    return (c + 1) * subgroupSize <= loadsOf(headDim)
      ? store
      : `if (${c * subgroupSize}u + lane < ${loadsOf(headDim)}u) { ${store} }`;
  });
}
