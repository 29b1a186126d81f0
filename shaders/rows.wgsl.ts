/**
 * How a kernel walks the rows of a matrix, so that one body serves both variants.
 *
 *     flat   a lane a row: no workgroup memory, no barriers
 *     tiled  a workgroup a row: lanes take every n-th column, sums go through a tree
 */
import { workgroupSum } from "./reduce.wgsl.ts";

/** Constants of kernels that walk rows. */
export interface RowConstants {
  readonly variant: "flat" | "tiled";
  /** Lanes of a workgroup; a power of two. */
  readonly workgroupSize: number;
}

/** Pieces of WGSL, for a kernel whose params have `numRows` and `numColumns`. */
export interface RowWalk {
  /** Declares `rowSum(value, lane) -> f32`, the sum over the lanes that share a row. */
  readonly functions: string;
  /**
   * Declares `row`, `isRow` and `begin`, the index of the row's first element. Lanes beyond the last
   * row walk the last one again, without storing: a mask would cost more, and a tree needs all lanes.
   */
  readonly begin: string;
  /** Head of a loop over the columns `i` of the row. */
  readonly eachColumn: string;
  /** Whether this lane stores what belongs to the whole row. */
  readonly isFirstLane: string;
}

/** Workgroups that a kernel needs for so many rows. */
export function rowWorkgroups({ variant, workgroupSize }: RowConstants, numRows: number): number {
  return variant === "flat" ? Math.ceil(numRows / workgroupSize) : numRows;
}

/** Pieces of WGSL of one variant. */
export function walkRows({ variant, workgroupSize }: RowConstants): RowWalk {
  const begin = (row: string) => `let row = ${row};
      let isRow = row < params.numRows;
      let begin = min(row, params.numRows - 1u) * params.numColumns;`;
  const group = "(workgroup.y * grid.x + workgroup.x)";
  if (variant === "flat") {
    return {
      functions: "fn rowSum(value: f32, lane: u32) -> f32 { return value; }",
      begin: begin(`${group} * ${workgroupSize}u + lane`),
      eachColumn: "for (var i = 0u; i < params.numColumns; i++)",
      isFirstLane: "isRow",
    };
  }
  return {
    functions: `${workgroupSum(workgroupSize)}
    fn rowSum(value: f32, lane: u32) -> f32 { return workgroupSum(value, lane); }`,
    begin: begin(group),
    eachColumn: `for (var i = lane; i < params.numColumns; i += ${workgroupSize}u)`,
    isFirstLane: "isRow && lane == 0u",
  };
}
