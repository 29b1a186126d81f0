import { type Layout, matmulFlat, type MatmulStorage } from "../../shaders/linear_flat.wgsl.ts";
import { MATMUL_TILE, matmulTiled } from "../../shaders/linear_tiled.wgsl.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
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
 * @param operands Matrices, each f32 or f16, or `b` packed where the others are f32; leading axes
 *   of `a` and `c` are folded into one.
 * @param accumulate Adds to `c` instead of storing.
 * @throws {RangeError} If the shapes do not fit, or an operand is stored as no kernel reads it.
 */
export function matmul(
  tape: Tape,
  layout: Layout,
  { accumulate = false, ...operands }: MatmulOperands & { readonly accumulate?: boolean },
): void {
  const { a, b, c, bias } = operands;
  const params = matmulParams(layout, operands);
  const isFloat32 = [a, c, bias ?? c].every(({ dtype }) => dtype === "f32");
  const isDecoding = layout === "nt" && b.dtype === "f32" && params.numRows <= MOST_FEW_ROWS;
  if (layout !== "tn" && isFloat32 && (isPacked(b, a) || isDecoding)) {
    packedMatmul(tape, layout, { ...operands, accumulate });
    return;
  }
  const { numRows, numColumns } = params;
  const buffers = { a, b, bias: bias ?? b, c };
  const constants = {
    layout,
    storage: storagesOf(layout, { ...operands, ...buffers }),
    accumulate,
    bias: bias !== undefined,
  };
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

/** How each operand is stored: f32 or f16, in any mixture. */
function storagesOf(
  layout: Layout,
  operands: MatmulOperands & { readonly bias: Tensor },
): MatmulStorage {
  const storage = ({ dtype }: Tensor): "f32" | "f16" => {
    if (dtype === "f32" || dtype === "f16") return dtype;
    throw unfit(layout, operands);
  };
  const { a, b, bias, c } = operands;
  return { a: storage(a), b: storage(b), bias: storage(bias), c: storage(c) };
}
