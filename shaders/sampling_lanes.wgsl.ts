/**
 * Lanes that share a row of logits, and how they agree on sums and maxima.
 *
 *     tiled            a workgroup a row; a tree in workgroup memory
 *     flat, subgroups  a subgroup a row; a butterfly of shuffles, in registers
 *     flat             a lane a row; nothing to agree on
 *
 * Every order is fixed, and every lane hears the same bits: in a butterfly, two lanes add the same
 * two values in either order, and addition commutes.
 */
import { workgroupReduction } from "./reduce.wgsl.ts";

/** Constants of kernels whose lanes share rows. */
export interface SharedRowConstants {
  readonly variant: "flat" | "tiled";
  /** Lanes of a workgroup; a power of two. */
  readonly workgroupSize: number;
  /** Lanes of a subgroup, equal to `workgroupSize`, to share a row; 0 for none. Flat only. */
  readonly subgroupSize: number;
}

/** Lanes that share one row. */
export function lanesPerRow({ variant, workgroupSize, subgroupSize }: SharedRowConstants): number {
  return variant === "tiled" ? workgroupSize : Math.max(1, subgroupSize);
}

/** Pieces of WGSL, for a kernel whose params have `numRows`. */
export interface SharedRows {
  /** Directives, before all declarations. */
  readonly directives: string;
  /** Declares `rowSum(vec4f, lane) -> vec4f` and `rowMax(vec2u, lane) -> vec2u`. */
  readonly functions: string;
  /** Parameters of the entry point; declares `workgroup`, `grid` and `index`. */
  readonly builtins: string;
  /** Declares `row` and `lane`, the number among the lanes of the row; leaves where no row is. */
  readonly begin: string;
}

/** Pieces of WGSL of one variant. */
export function shareRows(constants: SharedRowConstants): SharedRows {
  const { workgroupSize } = constants;
  const inSubgroup = constants.variant === "flat" && constants.subgroupSize > 0;
  const isAlone = lanesPerRow(constants) === 1;
  const index = inSubgroup ? "subgroup_invocation_id" : "local_invocation_index";
  const group = "workgroup.y * grid.x + workgroup.x";
  const row = isAlone ? `(${group}) * ${workgroupSize}u + index` : group;
  const reduction = isAlone ? alone : inSubgroup ? butterfly : workgroupReduction;
  return {
    directives: inSubgroup ? "enable subgroups;" : "",
    functions: `${reduction("rowSum", workgroupSize, (a, b) => `${a} + ${b}`, "vec4f")}
    ${reduction("rowMax", workgroupSize, (a, b) => `max(${a}, ${b})`, "vec2u")}`,
    builtins: `@builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${index}) index: u32,`,
    begin: `let row = ${row};
      let lane = ${isAlone ? "0u" : "index"};
      if (row >= params.numRows) { return; }`,
  };
}

function alone(name: string, _lanes: number, _combine: unknown, type: string): string {
  return `fn ${name}(value: ${type}, lane: u32) -> ${type} { return value; }`;
}

function butterfly(
  name: string,
  lanes: number,
  combine: (a: string, b: string) => string,
  type: string,
): string {
  const steps: string[] = [];
  for (let distance = lanes / 2; distance >= 1; distance /= 2) {
    steps.push(`all = ${combine("all", `subgroupShuffleXor(all, ${distance}u)`)};`);
  }
  return `fn ${name}(value: ${type}, lane: u32) -> ${type} {
      var all = value;
      ${steps.join("\n      ")}
      return all;
    }`;
}
