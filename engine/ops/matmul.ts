import { type Layout, type MATMUL_PARAMS, matmulFlat } from "../../shaders/linear_flat.wgsl.ts";
import { MATMUL_TILE, matmulTiled } from "../../shaders/linear_tiled.wgsl.ts";
import type { Range } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, storageOf, type Tensor } from "../tensor.ts";

/** Operands of {@linkcode matmul}. */
export interface MatmulOperands {
  /** `[m, k]`, or `[k, m]` under `"tn"`. */
  readonly a: Tensor;
  /** `[k, n]`, or `[n, k]` under `"nt"`. */
  readonly b: Tensor;
  /** `[m, n]`. */
  readonly c: Tensor;
  /** As wide as the whole of `c`, added to every row. */
  readonly bias?: Tensor | undefined;
  /** Columns of `a` to read, as if it had no others. @default {all} */
  readonly aColumns?: Range;
  /** Columns of `c` to write, as if it had no others. @default {all} */
  readonly cColumns?: Range;
}

/**
 * Register tiles of the flat variant, rows × columns: the fastest measured on Mesa's software
 * driver, with subgroups and without.
 */
const FLAT_ROWS = 16;
const FLAT_COLUMNS = { nn: 4, nt: 4, tn: 8 } as const;
const FLAT_COLUMNS_ALONE = 8;
const FLAT_LANES = 8;

/**
 * Records a matrix product into an existing tensor; not differentiable by itself.
 *
 *     nn  c = a · b        nt  c = a · bᵀ        tn  c = aᵀ · b
 *
 * Products are summed in f32, in ascending order of `k`.
 *
 * @param tape Where to record.
 * @param layout Which operand is transposed.
 * @param operands Matrices; leading axes of `a` and `c` are folded into one.
 * @param accumulate Adds to `c` instead of storing.
 * @throws {RangeError} If the shapes do not fit.
 */
export function matmul(
  tape: Tape,
  layout: Layout,
  { accumulate = false, ...operands }: MatmulOperands & { readonly accumulate?: boolean },
): void {
  const { a, b, c, bias } = operands;
  const params = paramsOf(layout, operands);
  const constants = {
    layout,
    storage: storageOf(a),
    output: storageOf(c),
    accumulate,
    bias: bias !== undefined,
  };
  const { numRows, numColumns } = params;
  const buffers = { a, b, bias: bias ?? b, c };
  if (tape.variant === "tiled") {
    const workgroups = Math.ceil(numRows / MATMUL_TILE) * Math.ceil(numColumns / MATMUL_TILE);
    tape.dispatch(matmulTiled, { constants, params, buffers, workgroups });
    return;
  }
  const { subgroupSize } = tape;
  const tileRows = Math.min(FLAT_ROWS, 2 ** Math.ceil(Math.log2(numRows)));
  const tileColumns = subgroupSize > 0 ? FLAT_COLUMNS[layout] : FLAT_COLUMNS_ALONE;
  const workgroupSize = subgroupSize > 0 ? subgroupSize : FLAT_LANES;
  const tilesAcross = Math.ceil(numColumns / (workgroupSize * tileColumns));
  tape.dispatch(matmulFlat, {
    constants: { ...constants, tileRows, tileColumns, workgroupSize, subgroupSize },
    params,
    buffers,
    workgroups: Math.ceil(numRows / tileRows) * tilesAcross,
  });
}

/** Sizes of a product, and where its windows lie. */
function paramsOf(
  layout: Layout,
  { a, b, c, aColumns, cColumns }: MatmulOperands,
): Record<keyof typeof MATMUL_PARAMS, number> {
  const [aRows, aStride] = fold(a);
  const [bRows, bColumns] = fold(b);
  const [cRows, cStride] = fold(c);
  const { begin: aBegin, end: aEnd } = aColumns ?? { begin: 0, end: aStride };
  const { begin: cBegin, end: cEnd } = cColumns ?? { begin: 0, end: cStride };
  const aWidth = aEnd - aBegin;
  const [numRows, depth] = layout === "tn" ? [aWidth, aRows] : [aRows, aWidth];
  const [numColumns, bDepth] = layout === "nt" ? [bRows, bColumns] : [bColumns, bRows];
  if (
    depth !== bDepth ||
    cRows !== numRows ||
    cEnd - cBegin !== numColumns ||
    a.dtype !== b.dtype ||
    aEnd > aStride ||
    cEnd > cStride
  ) {
    const windows =
      (aColumns ?? cColumns)
        ? ` (columns [${aBegin}, ${aEnd}) of a and [${cBegin}, ${cEnd}) of c)`
        : "";
    throw new RangeError(
      `Cannot multiply (${layout}) a ${describe(a)} by b ${describe(b)} into c ${describe(c)}${windows}: shapes and dtypes must fit`,
    );
  }
  return { numRows, numColumns, depth, aStride, aBegin, cStride, cBegin };
}

/** All axes but the last as one. */
function fold({ shape }: Tensor): [number, number] {
  const columns = shape.at(-1) ?? 1;
  return [shape.slice(0, -1).reduce((product, length) => product * length, 1), columns];
}
