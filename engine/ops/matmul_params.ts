import type { Activation } from "../../shaders/activation.wgsl.ts";
import type { Layout, MATMUL_PARAMS } from "../../shaders/linear_product.wgsl.ts";
import type { Range } from "../split.ts";
import { describe, type Tensor } from "../tensor.ts";

/** Operands of a matrix product. */
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

/** What is done with a product before it is stored, but for its bias. */
export interface Epilogue {
  /** Multiplies the product. @default {1} */
  readonly scale?: number | undefined;
  /** Function of the scaled product and its bias. @default {none} */
  readonly activation?: Activation | undefined;
  /** Shaped as the whole of `c`, and added in the end. @default {none} */
  readonly residual?: Tensor | undefined;
  /** Adds to `c` instead of storing. @default {false} */
  readonly accumulate?: boolean | undefined;
}

/** Sizes of a product, and where its windows lie. */
export type MatmulParams = Record<keyof typeof MATMUL_PARAMS, number>;

/**
 * Sizes of a product from its operands.
 *
 * @throws {RangeError} If the shapes do not fit.
 */
export function matmulParams(
  layout: Layout,
  operands: MatmulOperands & Pick<Epilogue, "residual">,
): MatmulParams {
  const { a, b, c, residual = c, aColumns, cColumns } = operands;
  const [aRows, aStride] = fold(a);
  const [bRows, bColumns] = fold(b);
  const [cRows, cStride] = fold(c);
  const { begin: aBegin, end: aEnd } = aColumns ?? { begin: 0, end: aStride };
  const { begin: cBegin, end: cEnd } = cColumns ?? { begin: 0, end: cStride };
  const aWidth = aEnd - aBegin;
  const [numRows, depth] = layout === "tn" ? [aWidth, aRows] : [aRows, aWidth];
  const [numColumns, bDepth] = layout === "nt" ? [bRows, bColumns] : [bColumns, bRows];
  const isWithin = aEnd <= aStride && cEnd <= cStride;
  const isShaped = fold(residual).join() === `${cRows},${cStride}`;
  if (depth !== bDepth || cRows !== numRows || cEnd - cBegin !== numColumns) {
    throw unfit(layout, operands);
  }
  if (!isWithin || !isShaped) throw unfit(layout, operands);
  return { numRows, numColumns, depth, aStride, aBegin, cStride, cBegin };
}

/** The error of operands whose shapes or dtypes do not fit. */
export function unfit(
  layout: Layout,
  { a, b, c, residual, aColumns, cColumns }: MatmulOperands & Pick<Epilogue, "residual">,
): RangeError {
  const window = (tensor: Tensor, { begin, end }: Range = { begin: 0, end: fold(tensor)[1] }) =>
    `[${begin}, ${end})`;
  const windows =
    aColumns === undefined && cColumns === undefined
      ? ""
      : ` (columns ${window(a, aColumns)} of a and ${window(c, cColumns)} of c)`;
  const added = residual === undefined ? "" : ` with residual ${describe(residual)}`;
  return new RangeError(
    `Cannot multiply (${layout}) a ${describe(a)} by b ${describe(b)} into c ${describe(c)}${added}${windows}: shapes and dtypes must fit`,
  );
}

/** All axes but the last as one. */
function fold({ shape }: Tensor): [number, number] {
  const columns = shape.at(-1) ?? 1;
  return [shape.slice(0, -1).reduce((product, length) => product * length, 1), columns];
}
