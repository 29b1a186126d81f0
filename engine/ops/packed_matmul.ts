import { FEW_ROWS, packedFewRowsNn } from "../../shaders/packed_matmul_few_rows.wgsl.ts";
import { packedMatmulNnFlat, packedMatmulNtFlat } from "../../shaders/packed_matmul_flat.wgsl.ts";
import { PACKED_TILE, packedMatmulTiled } from "../../shaders/packed_matmul_tiled.wgsl.ts";
import { alignmentOf, RUN, type WeightStorage } from "../../shaders/packed.wgsl.ts";
import type { Tape } from "../tape.ts";
import { dispatchFewRows, MOST_FEW_ROWS } from "./few_rows.ts";
import { describe, type Tensor } from "../tensor.ts";
import { type MatmulOperands, type MatmulParams, matmulParams } from "./matmul_params.ts";

/** Layouts that packed weights have kernels for; see {@linkcode packedMatmul}. */
export type PackedLayout = "nt" | "nn";

/**
 * Register tiles of the flat variant: the fastest measured on Mesa's software driver among those
 * that it compiles within half a second.
 */
const FLAT_ROWS = 8;
const FLAT_COLUMNS = { f32: 2, f16: 4, bf16: 4, int8: 4, int4: 4 } as const;
const FLAT_LANES = 8;

export { MOST_FEW_ROWS };

/** What one product has in common whatever its kernel. */
interface Product {
  readonly constants: {
    readonly weight: WeightStorage;
    readonly alignment: number;
    readonly accumulate: boolean;
    readonly bias: boolean;
  };
  readonly params: MatmulParams;
  readonly buffers: Readonly<Record<"a" | "b" | "bias" | "c", Tensor>>;
}

/**
 * Records the product of f32 activations with a weight in any storage into an existing f32 tensor;
 * not differentiable by itself.
 *
 *     nt  c = a · bᵀ, y = x · Wᵀ        nn  c = a · b, dx = dy · W
 *
 * Weights are unpacked to f32 as they are read, and products are summed in f32: in the flat variant
 * in ascending order, so that a row gives the same bits in any batch; in the tiled variant so from
 * nine rows on, and for fewer in a tree or a subgroup, the same for each row.
 *
 * @param tape Where to record.
 * @param layout Which operand is transposed.
 * @param operands Matrices and their windows, as of `matmul()`; `b` is f32, f16, bf16, int8 or int4.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If `a`, `c` or `bias` is not f32, or `b` holds no weights.
 */
export function packedMatmul(
  tape: Tape,
  layout: PackedLayout,
  { accumulate = false, ...operands }: MatmulOperands & { readonly accumulate?: boolean },
): void {
  const { a, b, c, bias } = operands;
  const params = matmulParams(layout, operands);
  const weight = weightStorageOf(b);
  const constants = {
    weight,
    alignment: alignmentOf(weight, layout === "nt" ? params.depth : params.numColumns),
    accumulate,
    bias: bias !== undefined,
  };
  for (const tensor of [a, c, bias]) {
    if (tensor === undefined || tensor.dtype === "f32") continue;
    throw new TypeError(
      `Cannot multiply by "${b.label}" ${describe(b)}: "${tensor.label}" must be f32, got ${describe(tensor)}`,
    );
  }
  const product = { constants, params, buffers: { a, b, bias: bias ?? a, c } };
  if (tape.variant === "flat") dispatchFlat(tape, layout, product);
  else if (params.numRows <= MOST_FEW_ROWS) {
    if (layout === "nt") recordFewRowsNt(tape, product);
    else recordFewRowsNn(tape, product);
  } else dispatchTiled(tape, layout, product);
}

/**
 * Storage of a weight.
 *
 * @throws {TypeError} If its elements are u32.
 */
export function weightStorageOf(weight: Tensor): WeightStorage {
  if (weight.dtype !== "u32") return weight.dtype;
  throw new TypeError(
    `Cannot multiply by "${weight.label}": a weight must be f32, f16, bf16, int8 or int4, got ${describe(weight)}`,
  );
}

/** Whether only {@linkcode packedMatmul} multiplies activations of this dtype with the weight. */
export function isPacked(weight: Tensor, x: Pick<Tensor, "dtype">): boolean {
  const { dtype } = weight;
  return dtype === "f16" ? x.dtype === "f32" : dtype !== "f32" && dtype !== "u32";
}

/**
 * Checks that a packed weight is frozen.
 *
 * @throws {TypeError} If it is to be trained.
 */
export function checkFrozen(op: string, weight: Tensor): void {
  if (!weight.needsGradient) return;
  throw new TypeError(
    `Cannot differentiate ${op}: packed weights must be frozen, got "${weight.label}" ${describe(weight)} that needs a gradient; train an adapter beside it, or hold it as f32`,
  );
}

function dispatchFlat(tape: Tape, layout: PackedLayout, product: Product): void {
  const { constants, params } = product;
  const { numRows, numColumns } = params;
  const { subgroupSize } = tape;
  const workgroupSize = subgroupSize > 0 ? subgroupSize : FLAT_LANES;
  const tileRows = powerOfTwo(numRows, FLAT_ROWS);
  const tileColumns = layout === "nt" ? FLAT_COLUMNS[constants.weight] : RUN;
  const lanes = { tileRows, tileColumns, workgroupSize, subgroupSize };
  tape.dispatch(layout === "nt" ? packedMatmulNtFlat : packedMatmulNnFlat, {
    ...product,
    constants: { ...constants, ...lanes },
    workgroups:
      Math.ceil(numRows / tileRows) * Math.ceil(numColumns / (workgroupSize * tileColumns)),
  });
}

function dispatchTiled(tape: Tape, layout: PackedLayout, product: Product): void {
  const { numRows, numColumns } = product.params;
  tape.dispatch(packedMatmulTiled, {
    ...product,
    constants: { ...product.constants, layout },
    workgroups: Math.ceil(numRows / PACKED_TILE) * Math.ceil(numColumns / PACKED_TILE),
  });
}

function recordFewRowsNt(tape: Tape, { constants, params, buffers }: Product): void {
  const { numRows, numColumns, depth, ...window } = params;
  const { weight, accumulate, bias } = constants;
  dispatchFewRows(tape, {
    constants: {
      weight,
      accumulate,
      bias,
      matrices: 1,
      gated: false,
      residual: false,
      norm: "none",
      shift: false,
      activation: "none",
    },
    numRows,
    depth,
    numColumns: [numColumns],
    window,
    buffers: { x: buffers.a, w0: buffers.b, ...(bias && { bias0: buffers.bias }), y: buffers.c },
  });
}

function recordFewRowsNn(tape: Tape, product: Product): void {
  const { numRows, numColumns } = product.params;
  const tileRows = powerOfTwo(numRows, FEW_ROWS.rows);
  tape.dispatch(packedFewRowsNn, {
    ...product,
    constants: { ...product.constants, tileRows },
    workgroups: Math.ceil(numRows / tileRows) * Math.ceil(numColumns / FEW_ROWS.columns),
  });
}

/** The least power of two that is not below `count`, or `most`. */
function powerOfTwo(count: number, most: number): number {
  return Math.min(most, 2 ** Math.ceil(Math.log2(count)));
}
