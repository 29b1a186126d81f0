/**
 * Matrix products for software adapters: no workgroup memory, no barriers; see
 * `linear_product.wgsl.ts` for the formulas.
 *
 * A lane owns a register tile of `tileRows` × `tileColumns`; a workgroup is one row of such tiles.
 * On a software adapter every load costs one scalar load a lane, and all lanes want the same rows
 * of `a`: so where a workgroup is one subgroup, each lane loads another part of `a` and the rest
 * hear of it by broadcast, which is all in registers. Vectors of four, where operands are aligned,
 * share the arithmetic of addresses; those that lie along `k` take whole cache lines, too. Vector
 * stores make the code short, and most of the time to compile it is in the stores.
 *
 * Indices are clamped rather than tested, so that the inner loop has no branches. Sums are in
 * ascending order of `k`, whatever the tile.
 */
import { type Kernel } from "./kernel.ts";
import {
  enableF16Of,
  placeOfTile,
  PRODUCT_BUFFERS,
  PRODUCT_PARAMS,
  productBindings,
  type ProductConstants,
  storeSum,
  type Width,
} from "./linear_product.wgsl.ts";
import { each, wgsl } from "./wgsl.ts";

export { type Layout, MATMUL_BUFFERS, MATMUL_PARAMS } from "./linear_product.wgsl.ts";

/** Constants of {@linkcode matmulFlat}. */
export interface MatmulFlatConstants extends ProductConstants {
  readonly tileRows: number;
  readonly tileColumns: number;
  /** Terms of a turn of the inner loop; the depth is a multiple of it. */
  readonly step: number;
  readonly workgroupSize: number;
  /** Lanes of a subgroup, equal to `workgroupSize`, to share loads of `a` in; 0 for none. */
  readonly subgroupSize: number;
  /**
   * Elements of each operand that are read or written at a time; 4 only where the axis that lies
   * contiguous, its window, its stride and what a lane takes of it are multiples of four.
   */
  readonly widths: Readonly<Record<"a" | "b" | "c", Width>>;
}

/** `c (+)= f(scale · a · b + bias) + residual`, one register tile a lane. */
export const matmulFlat: Kernel<
  MatmulFlatConstants,
  typeof PRODUCT_PARAMS,
  typeof PRODUCT_BUFFERS
> = {
  name: "matmulFlat",
  params: PRODUCT_PARAMS,
  buffers: PRODUCT_BUFFERS,
  code: (constants) => {
    const { storage, parts, tileRows, tileColumns, step } = constants;
    const { workgroupSize, subgroupSize, widths } = constants;
    const a = loadsOfA(constants);
    const b = loadsOfB(constants);
    const sum = (r: number, j: number) => `sum${r}x${j}`;
    const multiply = (u: number, r: number) =>
      `let x${u}x${r} = ${a.element(r, u)};
        ${each(tileColumns, (j) => `${sum(r, j)} = fma(x${u}x${r}, ${b.element(j, u)}, ${sum(r, j)});`)}`;
    return wgsl`
    ${enableF16Of(storage)}
    ${subgroupSize > 0 ? "enable subgroups;" : ""}
    ${productBindings(storage, widths)}

    ${storeSum(constants, widths.c)}

    @compute @workgroup_size(${workgroupSize})
    fn main(
      @builtin(workgroup_id) workgroup: vec3u,
      @builtin(num_workgroups) grid: vec3u,
      @builtin(${subgroupSize > 0 ? "subgroup_invocation_id" : "local_invocation_index"}) lane: u32,
    ) {
      ${placeOfTile(parts, tileRows, workgroupSize * tileColumns)}
      let first = column + lane * ${tileColumns}u;
      ${a.before}
      ${b.before}
      ${each(tileRows, (r) => each(tileColumns, (j) => `var ${sum(r, j)} = 0.0;`))}

      for (var k = kBegin; k < kEnd; k += ${step}u) {
        ${b.inside}
        ${a.inside}
        ${each(step, (u) => each(tileRows, (r) => multiply(u, r)))}
      }

      ${storeTile(constants, sum)}
    }`;
  },
};

/** How a step reads one operand: statements before the loop and inside, and each element then. */
interface Loads {
  readonly before: string;
  readonly inside: string;
  /** Of a row or column and a term of the step; f32. */
  readonly element: (row: number, term: number) => string;
}

/**
 * Loads of `a`: the step's elements lie in slots of `width` neighbors in memory. With subgroups
 * lane `i` loads slots `i`, `i + subgroupSize`, …; without, each lane loads all of them.
 */
function loadsOfA({ layout, tileRows, step, subgroupSize, widths }: MatmulFlatConstants): Loads {
  const isDeep = layout !== "tn";
  const width = widths.a;
  const [across, down] = isDeep ? [step / width, tileRows] : [tileRows / width, step];
  const lanes = subgroupSize > 0 ? subgroupSize : 1;
  const loads = Math.ceil((across * down) / lanes);
  const slot = (i: number) => {
    const at = `${i * lanes}u${subgroupSize > 0 ? " + lane" : ""}`;
    const isWhole = (i + 1) * lanes <= across * down;
    return isWhole ? `(${at})` : `min(${at}, ${across * down - 1}u)`;
  };
  const before = (i: number) => {
    const [x, y] = [`(${slot(i)} % ${across}u) * ${width}u`, `(${slot(i)} / ${across}u)`];
    if (isDeep) {
      return `let aBase${i} = aBegin + min(row + ${y}, params.numRows - 1u) * params.aStride + ${x};`;
    }
    const at = `row + ${x}`;
    const clamped =
      width === 1
        ? `min(${at}, params.numRows - 1u)`
        : `select(${at}, 0u, ${at} >= params.numRows)`;
    return `let aBase${i} = aBegin + ${clamped} + ${y} * params.aStride;`;
  };
  const type = width === 1 ? "f32" : "vec4f";
  const inside = (i: number) => {
    const at = isDeep ? `aBase${i} + k` : `k * params.aStride + aBase${i}`;
    return `let a${i} = ${type}(a[${width === 1 ? at : `(${at}) / 4u`}]);`;
  };
  return {
    before: each(loads, before),
    inside: each(loads, inside),
    element: (r, u) => {
      const [x, y] = isDeep ? [u, r] : [r, u];
      const which = y * across + Math.floor(x / width);
      const held = `a${Math.floor(which / lanes)}${width === 1 ? "" : `.${"xyzw"[x % 4]!}`}`;
      return subgroupSize > 0 ? `subgroupBroadcast(${held}, ${which % lanes}u)` : held;
    },
  };
}

/** Loads of `b`: each lane those of its own columns. */
function loadsOfB({ layout, tileColumns, step, widths }: MatmulFlatConstants): Loads {
  const isDeep = layout === "nt";
  const width = widths.b;
  const [across, down] = isDeep ? [step / width, tileColumns] : [tileColumns / width, step];
  const type = width === 1 ? "f32" : "vec4f";
  const at = (index: string) => (width === 1 ? index : `(${index}) / 4u`);
  const before = isDeep
    ? each(
        tileColumns,
        (j) =>
          `let bBase${j} = bBegin + min(first + ${j}u, params.numColumns - 1u) * params.depth;`,
      )
    : each(across, (i) => {
        const column = `first + ${i * width}u`;
        return width === 1
          ? `let bBase${i} = bBegin + min(${column}, params.numColumns - 1u);`
          : `let bBase${i} = bBegin + select(${column}, 0u, ${column} >= params.numColumns);`;
      });
  const inside = each(down, (y) =>
    each(across, (x) => {
      const index = isDeep
        ? `bBase${y} + k + ${x * width}u`
        : `(k + ${y}u) * params.numColumns + bBase${x}`;
      return `let b${y}x${x} = ${type}(b[${at(index)}]);`;
    }),
  );
  return {
    before,
    inside,
    element: (j, u) => {
      const [x, y] = isDeep ? [u, j] : [j, u];
      return `b${y}x${Math.floor(x / width)}${width === 1 ? "" : `.${"xyzw"[x % 4]!}`}`;
    },
  };
}

/** Rows of a lane's tile that are stored by one and the same code. */
const STORED_ROWS = 4;

/**
 * Stores a lane's tile, as far as it lies within the product. Stores are the longest code that a
 * software adapter compiles: so the tile is stored a few rows at a time, in a loop that picks them.
 * Columns come first, since conditions that differ between lanes are longer than those of a row.
 */
function storeTile(
  { tileRows, tileColumns, widths }: MatmulFlatConstants,
  sum: (row: number, column: number) => string,
): string {
  const rows = Math.min(STORED_ROWS, tileRows);
  const turns = tileRows / rows;
  const picked = (r: number, j: number) =>
    Array.from({ length: turns }, (_, turn) => sum(turn * rows + r, j)).reduce(
      (others, one, turn) => `select(${others}, ${one}, turn == ${turn}u)`,
    );
  const width = widths.c;
  const value = (r: number, i: number) =>
    width === 1
      ? picked(r, i)
      : `vec4f(${[0, 1, 2, 3].map((component) => picked(r, 4 * i + component)).join(", ")})`;
  const row = (r: number) => `row + turn * ${rows}u + ${r}u`;
  // A bound that compilers do not see through, or they would unroll the loop again.
  return `let numTurns = (min(${tileRows}u, params.numRows - row) + ${rows - 1}u) / ${rows}u;
      for (var turn = 0u; turn < numTurns; turn++) {
        ${each(
          tileColumns / width,
          (i) => `if (first + ${i * width}u < params.numColumns) {
        ${each(rows, (r) => `if (${row(r)} < params.numRows) { storeSum(part, ${row(r)}, first + ${i * width}u, ${value(r, i)}); }`)}
      }`,
        )}
      }`;
}
