import { addActivationGradient } from "./activation_gradient.ts";
import { cast, castChunks } from "./cast.ts";
import { matmul } from "./matmul.ts";
import { checkFrozen, isPacked } from "./packed_matmul.ts";
import { sumColumns } from "./sum_columns.ts";
import { part, type Range, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, storageOf, type Tensor } from "../tensor.ts";

/**
 * Affine map of the last axis.
 *
 *     y = x · weightᵀ + bias
 *
 * Sums in f32. Differentiable in `x`, whose gradient is stored as `x`, `weight` and `bias`. A weight
 * larger than the device can bind at once is taken in parts of its rows. Halves are multiplied by
 * halves: a weight stored otherwise is copied for each use, and its gradient is summed in f32 from
 * the halves of `x` and `dy`.
 *
 * @param tape Where to record.
 * @param x Activations, `[…, dIn]`, f32 or f16.
 * @param weight `[dOut, dIn]`, f32 or stored as `x`; frozen ones also f16, bf16, int8 or int4.
 * @param bias `[dOut]`, f32 or stored as `x`; none if absent.
 * @returns `[…, dOut]`, stored as `x`.
 * @throws {RangeError} If the shapes or dtypes do not fit.
 * @throws {TypeError} If a packed weight needs a gradient.
 */
export function linear(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const dIn = x.shape.at(-1) ?? 0;
  const [dOut = 0, weightIn = 0] = weight.shape;
  const isFrozen = isPacked(weight, x);
  const isStored = isFrozen || isFloat(weight, x);
  if (weight.shape.length !== 2 || weightIn !== dIn || !isStored) {
    throw new RangeError(
      `Cannot apply linear() to x ${describe(x)}: weight must be [dOut, ${dIn}] ${x.dtype}, got ${describe(weight)}`,
    );
  }
  if (bias !== undefined && (bias.shape.join() !== `${dOut}` || !isFloat(bias, x))) {
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
  const isHalf = storageOf(x) === "f16";
  const parts = isHalf
    ? castChunks(weight, "f16", tape.maxBindingBytes)
    : rowChunks(weight, tape.maxBindingBytes);
  const operand = (range: Range) =>
    isHalf ? cast(tape, part(weight, range), "f16") : part(weight, range);
  for (const range of parts) {
    matmul(tape, "nt", { a: x, b: operand(range), c: y, cColumns: range, bias });
  }
  tape.onBackward(y, (dy) => {
    addActivationGradient(tape, x, (dx, accumulate) => {
      for (const range of parts) {
        const sums = accumulate || range.begin > 0;
        const b = operand(range);
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

/** Whether a tensor is f32 or stored as `x`. */
function isFloat({ dtype }: Tensor, x: Tensor): boolean {
  return dtype === "f32" || dtype === x.dtype;
}
