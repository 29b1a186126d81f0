import {
  rmsNormBackwardInput,
  rmsNormBackwardWeight,
  rmsNormForward,
} from "../../shaders/rms_norm.wgsl.ts";
import { rowWorkgroups } from "../../shaders/rows.wgsl.ts";
import { rowConstants } from "./rows.ts";
import { chunksOf, COLUMN_WORKGROUP_SIZE, sumChunks } from "./sum_columns.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";

/** Options of {@linkcode rmsNorm}. */
export interface RmsNormOptions {
  /**
   * Added to the mean square before the root, so that a row of zeros stays finite.
   *
   * @default {1e-6}
   */
  readonly eps?: number;
  /**
   * Elements that are normalized together, if not whole rows: the width of a head.
   *
   * @default {dModel}
   */
  readonly headDim?: number;
}

/**
 * Root mean square normalization over the last axis, or over each head of it.
 *
 *     y = x · weight / √(mean(x²) + eps)
 *
 * Sums in f32. Keeps one f32 per row for the backward pass and recomputes the rest. Differentiable
 * in `x`, whose gradient is stored as `x`, and `weight`.
 *
 * @see {@link https://arxiv.org/abs/1910.07467 | Zhang & Sennrich, 2019}
 *
 * @param tape Where to record.
 * @param x Activations, `[…, dModel]`, f32 or f16.
 * @param weight Gain, `[dModel]`, or `[headDim]` if heads are normalized, f32 or stored as `x`.
 * @param options Numerical options, and the width of heads.
 * @returns Normalized activations, shaped and stored as `x`.
 * @throws {RangeError} If `weight` is of another shape, or `headDim` does not divide `dModel`.
 * @throws {TypeError} If `weight` is stored otherwise.
 *
 * @example Pre-normalization of the residual stream
 * ```ts ignore
 * const normed = rmsNorm(tape, x, weights.attentionNorm, { eps: 1e-5 });
 * ```
 */
export function rmsNorm(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  options: RmsNormOptions = {},
): Tensor {
  const { eps = 1e-6 } = options;
  const numColumns = check(x, weight, options);
  const numRows = sizeOf(x.shape) / numColumns;
  const label = `rmsNorm(${weight.label})`;
  const y = tape.activation(x.shape, { label, dtype: x.dtype, from: [x, weight] });
  const rstd = tape.activation([numRows], { label: `${label} rstd` });
  const constants = {
    ...rowConstants(tape.variant),
    storage: storageOf(x),
    weightStorage: storageOf(weight),
  };
  const workgroups = rowWorkgroups(constants, numRows);
  tape.dispatch(rmsNormForward, {
    constants,
    params: { numRows, numColumns, eps },
    buffers: { x, weight, y, rstd },
    workgroups,
  });
  tape.onBackward(y, (dy) => {
    addActivationGradient(tape, x, (dx, accumulate) =>
      tape.dispatch(rmsNormBackwardInput, {
        constants: { ...constants, accumulate },
        params: { numRows, numColumns },
        buffers: { x, weight, rstd, dy, dx },
        workgroups,
      }),
    );
    addWeightGradient(tape, { x, weight, rstd, dy });
  });
  return y;
}

/** Sums the gradient of the gain over rows, in chunks. */
function addWeightGradient(
  tape: Tape,
  { x, weight, rstd, dy }: Readonly<Record<"x" | "weight" | "rstd" | "dy", Tensor>>,
): void {
  const numRows = sizeOf(rstd.shape);
  const numColumns = sizeOf(weight.shape);
  tape.addGradient(weight, (dWeight, accumulate) => {
    const chunks = chunksOf(numRows, numColumns);
    const partial = tape.activation([chunks.numChunks, numColumns], {
      label: `partial ${dWeight.label}`,
    });
    tape.dispatch(rmsNormBackwardWeight, {
      constants: { storage: storageOf(x), workgroupSize: COLUMN_WORKGROUP_SIZE },
      params: { numRows, numColumns, chunkRows: chunks.chunkRows },
      buffers: { x, rstd, dy, partial },
      workgroups: chunks.workgroups,
    });
    sumChunks(tape, partial, dWeight, accumulate);
  });
}

/** Elements that are normalized together; throws where anything does not fit. */
function check(x: Tensor, weight: Tensor, { headDim }: RmsNormOptions): number {
  const width = x.shape.at(-1) ?? 0;
  const numColumns = headDim ?? width;
  if (!Number.isInteger(width / numColumns)) {
    throw new RangeError(
      `Cannot apply rmsNorm() to x ${describe(x)}: headDim must divide ${width}, got ${numColumns}`,
    );
  }
  if (weight.shape.join() !== `${numColumns}`) {
    throw new RangeError(
      `Cannot apply rmsNorm() to x ${describe(x)}: weight must be [${numColumns}], got ${describe(weight)}`,
    );
  }
  if (weight.dtype !== x.dtype && weight.dtype !== "f32") {
    throw new TypeError(
      `Cannot apply rmsNorm() to x ${describe(x)}: weight must be ${x.dtype === "f16" ? "f32 or f16" : "f32"}, got ${describe(weight)}`,
    );
  }
  return numColumns;
}
