import { type Layout, matmulFlat } from "../../shaders/linear_flat.wgsl.ts";
import { MATMUL_TILE, matmulTiled } from "../../shaders/linear_tiled.wgsl.ts";
import type { Tape } from "../tape.ts";
import { storageOf } from "../tensor.ts";
import { type MatmulOperands, matmulParams, unfit } from "./matmul_params.ts";
import { isPacked, MOST_FEW_ROWS, packedMatmul } from "./packed_matmul.ts";

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
 * Products are summed in f32, in ascending order of `k`; but a few rows in the tiled variant as
 * {@linkcode packedMatmul} has it, which takes them, and weights that are packed.
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
  const params = matmulParams(layout, operands);
  const isDecoding = layout === "nt" && a.dtype === "f32" && params.numRows <= MOST_FEW_ROWS;
  if (layout !== "tn" && (isPacked(b, a) || (isDecoding && b.dtype === "f32"))) {
    packedMatmul(tape, layout, { ...operands, accumulate });
    return;
  }
  if (a.dtype !== b.dtype) throw unfit(layout, operands);
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
