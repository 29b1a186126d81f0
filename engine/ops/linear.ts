import { matmul } from "./matmul.ts";
import { checkFrozen, isPacked } from "./packed_matmul.ts";
import { sumColumns } from "./sum_columns.ts";
import { part, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, type Tensor } from "../tensor.ts";
import { checkFloat32 } from "./activation_gradient.ts";

/**
 * Affine map of the last axis.
 *
 *     y = x · weightᵀ + bias
 *
 * Sums in f32. Differentiable in `x`, `weight` and `bias`. A weight larger than the device can bind
 * at once is taken in parts of its rows.
 *
 * @param tape Where to record.
 * @param x Activations, `[…, dIn]`, f32 or f16.
 * @param weight `[dOut, dIn]`, stored as `x`; frozen ones also as f16, bf16, int8 or int4 where `x`
 *   is f32.
 * @param bias `[dOut]`, stored as `x`; none if absent.
 * @returns `[…, dOut]`, stored as `x`.
 * @throws {RangeError} If the shapes or dtypes do not fit.
 * @throws {TypeError} If a packed weight needs a gradient.
 */
export function linear(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const dIn = x.shape.at(-1) ?? 0;
  const [dOut = 0, weightIn = 0] = weight.shape;
  const isFrozen = x.dtype === "f32" && isPacked(weight, x);
  const isStored = isFrozen || weight.dtype === x.dtype;
  if (weight.shape.length !== 2 || weightIn !== dIn || !isStored) {
    throw new RangeError(
      `Cannot apply linear() to x ${describe(x)}: weight must be [dOut, ${dIn}] ${x.dtype}, got ${describe(weight)}`,
    );
  }
  if (bias !== undefined && (bias.shape.join() !== `${dOut}` || bias.dtype !== x.dtype)) {
    throw new RangeError(
      `Cannot apply linear() with weight ${describe(weight)}: bias must be [${dOut}] ${x.dtype}, got ${describe(bias)}`,
    );
  }
  if (isFrozen) checkFrozen("linear()", weight);
  const y = tape.activation([...x.shape.slice(0, -1), dOut], {
    label: `linear(${weight.label})`,
    dtype: x.dtype,
    from: [x, weight, bias],
  });
  // Rows of the weight are columns of y: each part of it makes, or takes, its own window of those.
  const parts = rowChunks(weight, tape.maxBindingBytes);
  for (const range of parts) {
    matmul(tape, "nt", { a: x, b: part(weight, range), c: y, cColumns: range, bias });
  }
  tape.onBackward(y, (dy) => {
    checkFloat32(y);
    tape.addGradient(x, (dx, accumulate) => {
      for (const range of parts) {
        const sums = accumulate || range.begin > 0;
        const b = part(weight, range);
        matmul(tape, "nn", { a: dy, aColumns: range, b, c: dx, accumulate: sums });
      }
    });
    tape.addGradient(weight, (dWeight, accumulate) => {
      for (const range of rowChunks(dWeight, tape.maxBindingBytes)) {
        matmul(tape, "tn", { a: dy, aColumns: range, b: x, c: part(dWeight, range), accumulate });
      }
    });
    if (bias !== undefined) {
      tape.addGradient(bias, (dBias, accumulate) => sumColumns(tape, dy, dBias, accumulate));
    }
  });
  return y;
}
