import { matmul } from "./matmul.ts";
import { sumColumns } from "./sum_columns.ts";
import type { Tape } from "../tape.ts";
import { describe, type Tensor } from "../tensor.ts";

/**
 * Affine map of the last axis.
 *
 *     y = x · weightᵀ + bias
 *
 * Sums in f32. Differentiable in `x`, `weight` and `bias`.
 *
 * @param tape Where to record.
 * @param x Activations, `[…, dIn]`, f32 or f16.
 * @param weight `[dOut, dIn]`, stored as `x`.
 * @param bias `[dOut]`, stored as `x`; none if absent.
 * @returns `[…, dOut]`, stored as `x`.
 * @throws {RangeError} If the shapes or dtypes do not fit.
 */
export function linear(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const dIn = x.shape.at(-1) ?? 0;
  const [dOut = 0, weightIn = 0] = weight.shape;
  if (weight.shape.length !== 2 || weightIn !== dIn || weight.dtype !== x.dtype) {
    throw new RangeError(
      `Cannot apply linear() to x ${describe(x)}: weight must be [dOut, ${dIn}] ${x.dtype}, got ${describe(weight)}`,
    );
  }
  if (bias !== undefined && (bias.shape.join() !== `${dOut}` || bias.dtype !== x.dtype)) {
    throw new RangeError(
      `Cannot apply linear() with weight ${describe(weight)}: bias must be [${dOut}] ${x.dtype}, got ${describe(bias)}`,
    );
  }
  const y = tape.activation([...x.shape.slice(0, -1), dOut], {
    label: `linear(${weight.label})`,
    dtype: x.dtype,
    from: [x, weight, bias],
  });
  matmul(tape, "nt", { a: x, b: weight, c: y, bias });
  tape.onBackward(y, (dy) => {
    tape.addGradient(x, (dx, accumulate) =>
      matmul(tape, "nn", { a: dy, b: weight, c: dx, accumulate }),
    );
    tape.addGradient(weight, (dWeight, accumulate) =>
      matmul(tape, "tn", { a: dy, b: x, c: dWeight, accumulate }),
    );
    if (bias !== undefined) {
      tape.addGradient(bias, (dBias, accumulate) => sumColumns(tape, dy, dBias, accumulate));
    }
  });
  return y;
}
