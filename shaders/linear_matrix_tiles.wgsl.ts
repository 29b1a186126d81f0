/**
 * How a product with subgroup matrices divides its operands: tiles of workgroups, blocks of
 * subgroups, and how tiles come from storage into workgroup memory and from there into matrices.
 *
 * A tile lies in workgroup memory as in storage, eight halves a vector; the rows are an odd number
 * of vectors apart, so that those that a matrix is loaded from lie in different banks. An operand
 * whose rows are not along the depth is transposed by the load of its matrices.
 */
import type { ProductConstants, Width } from "./linear_product.wgsl.ts";
import {
  loadMatrix,
  type MatrixMemory,
  type MatrixPlace,
  type MatrixShape,
} from "./subgroup_matrix.wgsl.ts";
import { each } from "./wgsl.ts";

/** Halves that one load of storage brings. */
export type LoadWidth = 1 | 2 | 4 | 8;

/** How a product is divided among workgroups, subgroups and steps. */
export interface MatrixTiling {
  readonly matrix: MatrixShape;
  /** Subgroups of a workgroup, along the rows and the columns of its results. */
  readonly subgroupRows: number;
  readonly subgroupColumns: number;
  /** Result matrices of a subgroup, likewise. */
  readonly matrixRows: number;
  readonly matrixColumns: number;
  /** Terms of a step; a multiple of 8 and of the matrices' `k`. */
  readonly step: number;
  /** Tiles of each operand in workgroup memory: 2 for double buffering, 0 for none. */
  readonly stages: 0 | 1 | 2;
}

/** Constants of a product with subgroup matrices. */
export interface MatmulMatrixConstants extends ProductConstants, MatrixTiling {
  /** Whether the product is whole tiles, so that nothing is masked; needed without stages. */
  readonly isWhole: boolean;
  /** Dividing each operand's stride, beginning, distance of matrices and extent along its rows. */
  readonly widthA: LoadWidth;
  readonly widthB: LoadWidth;
  /** Elements that are stored at a time, likewise. */
  readonly widthC: Width;
}

/** Halves in a vector of a staged tile. */
const VECTOR = 8;

/** Storage types of loads by their width. */
export const LOADS = { 1: "f16", 2: "u32", 4: "vec2u", 8: "vec4u" } as const;

/** Workgroup memory: tiles of halves, and later results. */
export const STAGED: MatrixMemory = {
  name: "staged",
  type: "vec4u",
  roles: ["left", "right", "result"],
};

/** Rows and columns of the results of a workgroup. */
export function matrixTile(tiling: MatrixTiling): {
  readonly rows: number;
  readonly columns: number;
} {
  const { matrix, subgroupRows, subgroupColumns, matrixRows, matrixColumns } = tiling;
  return {
    rows: subgroupRows * matrixRows * matrix.m,
    columns: subgroupColumns * matrixColumns * matrix.n,
  };
}

/** Lanes of a workgroup. */
export function matrixLanes({ matrix, subgroupRows, subgroupColumns }: MatrixTiling): number {
  return subgroupRows * subgroupColumns * matrix.subgroupSize;
}

/** Bytes of workgroup memory; the most of all layouts. */
export function matrixBytes(tiling: MatrixTiling): number {
  const layouts = ["nn", "nt", "tn"] as const;
  return 16 * Math.max(...layouts.map((layout) => memoryOf({ ...tiling, layout }).vectors));
}

/** How workgroup memory is laid out, in vectors of 16 bytes. */
export interface MatrixMemoryLayout {
  /** Where the tile of `b` begins after that of `a`, and the next stage after this one. */
  readonly b: number;
  readonly stage: number;
  /** From a row to the next of the band of results that is written at a time. */
  readonly bandStride: number;
  readonly vectors: number;
}

/** Lays out workgroup memory. */
export function memoryOf(
  constants: MatrixTiling & Pick<ProductConstants, "layout">,
): MatrixMemoryLayout {
  const vectors = (operand: "a" | "b") => {
    const { rows, stride } = tileOf(constants, operand);
    return rows * stride;
  };
  const b = vectors("a");
  const stage = b + vectors("b");
  const bandStride = matrixTile(constants).columns / 4 + 1;
  const band = constants.subgroupRows * constants.matrix.m * bandStride;
  return { b, stage, bandStride, vectors: Math.max(constants.stages * stage, band) };
}

/** Whether the rows of an operand lie along the depth. */
function isAlongDepth(layout: ProductConstants["layout"], operand: "a" | "b"): boolean {
  return operand === "a" ? layout !== "tn" : layout === "nt";
}

/** The tile of one step: rows as in storage, vectors of a row, and from a row to the next. */
function tileOf(
  constants: MatrixTiling & Pick<ProductConstants, "layout">,
  operand: "a" | "b",
): { readonly rows: number; readonly width: number; readonly stride: number } {
  const { layout, step } = constants;
  const across = matrixTile(constants)[operand === "a" ? "rows" : "columns"];
  const [rows, halves] = isAlongDepth(layout, operand) ? [across, step] : [step, across];
  const width = halves / VECTOR;
  return { rows, width, stride: width + 1 - (width % 2) };
}

/** One operand as WGSL sees it. */
export interface Operand {
  readonly name: "a" | "b";
  readonly width: LoadWidth;
  /** What the kernel must declare: its first element, as `aFirst`. */
  readonly first: string;
  /** Elements from a row to the next. */
  readonly stride: string;
  /** Rows, and elements of a row. */
  readonly extents: readonly [string, string];
  /** The place in storage of the element with these indices across and along the depth. */
  readonly place: (across: string, depth: string) => readonly [row: string, i: string];
  readonly order: "row_major" | "col_major";
}

/** How an operand lies in storage. */
export function operandOf(constants: MatmulMatrixConstants, name: "a" | "b"): Operand {
  const { layout, widthA, widthB } = constants;
  const across = name === "a" ? "params.numRows" : "params.numColumns";
  const along = isAlongDepth(layout, name);
  const extents = along ? ([across, "params.depth"] as const) : (["params.depth", across] as const);
  return {
    name,
    width: name === "a" ? widthA : widthB,
    first: `${name}First`,
    stride: name === "a" ? "params.aStride" : extents[1],
    extents,
    place: (m, k) => (along ? [m, k] : [k, m]),
    order: along === (name === "a") ? "row_major" : "col_major",
  };
}

/** Memory of an operand that matrices are loaded from without staging. */
export function storageMemory({ name, width }: Operand): MatrixMemory {
  return { name, type: LOADS[width], roles: [name === "a" ? "left" : "right"] };
}

/** Declares `load_a` or `load_b`, which loads a vector of halves of a row: zeros outside of it. */
export function loadFunction({ isWhole }: MatmulMatrixConstants, operand: Operand): string {
  const { name, width, stride, extents } = operand;
  const [numRows, length] = extents;
  const part = (index: number) => {
    const at = `i + ${index * width}u`;
    if (isWhole) return `${name}[(first + row * ${stride} + ${at}) / ${width}u]`;
    const inside = `min(${at}, ${length} - ${width}u)`;
    const value = `${name}[(first + row * ${stride} + ${inside}) / ${width}u]`;
    return `select(${LOADS[width]}(), ${value}, ${at} < ${length})`;
  };
  const pair = (index: number) =>
    `bitcast<u32>(vec2<f16>(${part(2 * index)}, ${part(2 * index + 1)}))`;
  const words = width === 1 ? each(4, pair, ", ") : each(VECTOR / width, part, ", ");
  return `fn load_${name}(first: u32, row: u32, i: u32) -> vec4u {
      ${isWhole ? "" : `if (row >= ${numRows}) { return vec4u(); }`}
      return vec4u(${words});
    }`;
}

/** How one lane stages its share of a tile: WGSL statements. */
export interface Staging {
  /** Declares the registers that hold it. */
  readonly registers: string;
  /** Loads it from storage: the step that begins at `k`. */
  readonly load: string;
  /** Stores it in the stage that begins at `stage`. */
  readonly store: string;
}

/** Statements that stage an operand. */
export function stagingOf(constants: MatmulMatrixConstants, operand: Operand): Staging {
  const { name, first, place } = operand;
  const { rows, width, stride } = tileOf(constants, name);
  const begin = name === "a" ? 0 : memoryOf(constants).b;
  const lanes = matrixLanes(constants);
  const [row, i] = place(name === "a" ? "row" : "column", "k");
  const count = Math.ceil((rows * width) / lanes);
  const eachVector = (body: (register: string) => string) =>
    each(count, (index) => {
      const isPartial = (index + 1) * lanes > rows * width;
      const guard = isPartial ? `if (lane + ${index * lanes}u < ${rows * width}u) ` : "";
      return `${guard}{ let v = lane + ${index * lanes}u; ${body(`${name}${index}`)} }`;
    });
  return {
    registers: each(count, (index) => `var ${name}${index}: vec4u;`, " "),
    load: eachVector(
      (register) =>
        `${register} = load_${name}(${first}, ${row} + v / ${width}u, ${i} + v % ${width}u * ${VECTOR}u);`,
    ),
    store: eachVector(
      (register) =>
        `staged[stage + ${begin}u + v / ${width}u * ${stride}u + v % ${width}u] = ${register};`,
    ),
  };
}

/**
 * Expression that loads a matrix of an operand, from the stage or from storage.
 *
 * @param across WGSL of the matrix's first row or column within the tile of the workgroup; its terms
 *   begin at `kk` within the step.
 */
export function loadOperand(
  constants: MatmulMatrixConstants,
  operand: Operand,
  across: string,
): string {
  const role = operand.name === "a" ? "left" : "right";
  const place = constants.stages > 0 ? stagedPlace : storedPlace;
  return loadMatrix(constants.matrix, role, place(constants, operand, across));
}

function stagedPlace(
  constants: MatmulMatrixConstants,
  { name, place, order }: Operand,
  across: string,
): MatrixPlace {
  const { stride } = tileOf(constants, name);
  const begin = name === "a" ? 0 : memoryOf(constants).b;
  const [row, i] = place(across, "kk");
  const offset = `stage + ${begin}u + (${row}) * ${stride}u + (${i}) / ${VECTOR}u`;
  return { memory: STAGED, offset, stride: `${stride}u`, order };
}

function storedPlace(_: MatmulMatrixConstants, operand: Operand, across: string): MatrixPlace {
  const { name, width, first, stride, place, order } = operand;
  const [row, i] = place(`${name === "a" ? "row" : "column"} + ${across}`, "k + kk");
  const offset = `(${first} + (${row}) * ${stride} + ${i}) / ${width}u`;
  return { memory: storageMemory(operand), offset, stride: `${stride} / ${width}u`, order };
}
