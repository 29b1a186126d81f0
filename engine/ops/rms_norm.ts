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
}

/**
 * Root mean square normalization over the last axis, or over each group of so many of its elements
 * as `weight` has: the heads of a row, where `weight` is as long as a head.
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
 * @param weight Gain, `[dModel]`, or as long as a group, f32 or stored as `x`.
 * @param options Numerical options.
 * @returns Normalized activations, shaped and stored as `x`.
 * @throws {RangeError} If `weight` does not divide `[dModel]`, or is stored otherwise.
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
  { eps = 1e-6 }: RmsNormOptions = {},
): Tensor {
  const width = x.shape.at(-1) ?? 0;
  const [numColumns = 0] = weight.shape;
  const fits = weight.dtype === x.dtype || weight.dtype === "f32";
  if (weight.shape.length !== 1 || width % numColumns !== 0 || !fits) {
    throw new RangeError(
      `Cannot apply rmsNorm() to x ${describe(x)}: ` +
        `weight must be [${width}] ${x.dtype}, or divide that, got ${describe(weight)}`,
    );
  }
  const numRows = sizeOf(x.shape) / numColumns;
  const label = `rmsNorm(${weight.label})`;
  const y = tape.activation(x.shape, { label, dtype: x.dtype, from: [x, weight] });
  const rstd = tape.activation([numRows], { label: `${label} rstd` });
  const storage = storageOf(x);
  const constants = {
    ...rowConstants(tape.variant),
    storage,
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
    tape.addGradient(weight, (dWeight, accumulate) => {
      const chunks = chunksOf(numRows, numColumns);
      const partial = tape.activation([chunks.numChunks, numColumns], {
        label: `partial ${dWeight.label}`,
      });
      tape.dispatch(rmsNormBackwardWeight, {
        constants: { storage, workgroupSize: COLUMN_WORKGROUP_SIZE },
        params: { numRows, numColumns, chunkRows: chunks.chunkRows },
        buffers: { x, rstd, dy, partial },
        workgroups: chunks.workgroups,
      });
      sumChunks(tape, partial, dWeight, accumulate);
    });
  });
  return y;
}
