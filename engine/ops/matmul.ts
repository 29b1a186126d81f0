import type { Layout, ProductStorage } from "../../shaders/linear_product.wgsl.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type { MatmulProblem } from "./matmul_family.ts";
import {
  type Epilogue,
  type MatmulOperands,
  type MatmulParams,
  matmulParams,
  unfit,
} from "./matmul_params.ts";
import { recordProduct } from "./matmul_tunable.ts";
import { isPacked, MOST_FEW_ROWS, packedMatmul } from "./packed_matmul.ts";

/** Matrices that lie behind each other in a batch: how many, and elements from one to the next. */
export interface Batch {
  readonly numBatches: number;
  readonly aBatch: number;
  readonly bBatch: number;
  readonly cBatch: number;
}

/** Operands of a product with all that is done to it. */
export type ProductOperands = MatmulOperands & Epilogue;

const ALONE: Batch = { numBatches: 1, aBatch: 0, bBatch: 0, cBatch: 0 };

/**
 * Records a matrix product into an existing tensor; not differentiable by itself.
 *
 *     nn  p = a · b        nt  p = a · bᵀ        tn  p = aᵀ · b
 *     c (+)= f(scale · p + bias) + residual
 *
 * Products are summed in f32, in ascending order of `k`, unless a tuner or the default for long
 * depths splits it: then parts are summed so, and added in order. A few rows in the tiled variant
 * are summed as {@linkcode packedMatmul} has it, which takes them, and weights that are packed,
 * where nothing but a bias is to be added.
 *
 * @param tape Where to record.
 * @param layout Which operand is transposed.
 * @param operands Matrices, each f32 or f16, or `b` packed where the others are f32 and nothing but
 *   a bias is added; leading axes of `a`, `c` and `residual` are folded into one.
 * @throws {RangeError} If the shapes do not fit, or an operand is stored as no kernel reads it.
 */
export function matmul(tape: Tape, layout: Layout, operands: ProductOperands): void {
  const params = matmulParams(layout, operands);
  const { a, b, c, bias, accumulate = false } = operands;
  const isFloat32 = [a, c, bias ?? c].every(({ dtype }) => dtype === "f32");
  const isDecoding = layout === "nt" && isForFewRows(a, b);
  if (!hasEpilogue(operands) && layout !== "tn" && isFloat32 && (isPacked(b, a) || isDecoding)) {
    packedMatmul(tape, layout, { ...operands, accumulate });
    return;
  }
  recordMatrices(tape, layout, { ...operands, params, batch: ALONE });
}

/** Whether the kernels of few rows multiply activations with an f32 weight faster than others. */
export function isForFewRows(x: Tensor, weight: Tensor): boolean {
  const numRows = sizeOf(x.shape) / (x.shape.at(-1) ?? 1);
  return x.dtype === "f32" && weight.dtype === "f32" && numRows <= MOST_FEW_ROWS;
}

/** Whether more is done to a product than what all kernels do: a bias and accumulation. */
export function hasEpilogue({ scale = 1, activation, residual }: Epilogue): boolean {
  return scale !== 1 || activation !== undefined || residual !== undefined;
}

/** Records one product, or a batch of them, whose sizes are known to fit. */
export function recordMatrices(
  tape: Tape,
  layout: Layout,
  operands: ProductOperands & { readonly params: MatmulParams; readonly batch: Batch },
): void {
  const { a, b, c, bias, residual, scale = 1, activation, params, batch } = operands;
  const { numBatches, ...strides } = batch;
  const buffers = { a, b, bias: bias ?? b, residual: residual ?? b, c };
  const storage = storagesOf(layout, operands, buffers);
  const { numRows, numColumns, depth } = params;
  recordProduct(tape, {
    problem: {
      layout,
      numRows,
      numColumns,
      depth,
      numBatches,
      storage: { a: storage.a, b: storage.b, c: storage.c },
      alignment: alignmentOf(layout, params, batch),
    },
    epilogue: {
      storage,
      accumulate: operands.accumulate ?? false,
      bias: bias !== undefined,
      activation: activation ?? "none",
      residual: residual !== undefined,
    },
    params: { ...params, ...strides, numParts: numBatches, partDepth: depth, scale },
    buffers,
  });
}

/** What divides where rows of each operand begin and end. */
function alignmentOf(
  layout: Layout,
  { numRows, numColumns, depth, aStride, aBegin, cStride, cBegin }: MatmulParams,
  { aBatch, bBatch, cBatch }: Batch,
): MatmulProblem["alignment"] {
  return {
    a: divisorOf(aStride, aBegin, aBatch, layout === "tn" ? numRows : depth),
    b: divisorOf(bBatch, layout === "nt" ? depth : numColumns),
    c: divisorOf(cStride, cBegin, cBatch, numColumns),
    depth: divisorOf(depth),
  };
}

/** The largest of 8, 4, 2 and 1 that divides all. */
function divisorOf(...lengths: readonly number[]): number {
  return [8, 4, 2].find((divisor) => lengths.every((length) => length % divisor === 0)) ?? 1;
}

/** How each operand is stored: f32 or f16, in any mixture. */
function storagesOf(
  layout: Layout,
  operands: ProductOperands,
  { a, b, bias, residual, c }: Readonly<Record<keyof ProductStorage, Tensor>>,
): ProductStorage {
  const storage = ({ dtype }: Tensor): "f32" | "f16" => {
    if (dtype === "f32" || dtype === "f16") return dtype;
    throw unfit(layout, operands);
  };
  return {
    a: storage(a),
    b: storage(b),
    bias: storage(bias),
    residual: storage(residual),
    c: storage(c),
  };
}
