import { cast, castChunks } from "./cast.ts";
import { matmul } from "./matmul.ts";
import { checkFrozen, isPacked } from "./packed_matmul.ts";
import { sumColumns } from "./sum_columns.ts";
import { SummedGradient } from "./summed_gradient.ts";
import { part, type Range, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, storageOf, type Tensor } from "../tensor.ts";

/**
 * Affine map of the last axis.
 *
 *     y = x · weightᵀ + bias
 *
 * Sums in f32. Differentiable in `x`, whose gradient is stored as `x`, `weight` and `bias`. A weight
 * larger than the device can bind at once is taken in parts of its rows; sums over parts are f32,
 * too. Halves are multiplied by
 * halves: a weight stored otherwise is copied for each use, and its gradient is summed in f32 from
 * the halves of `x` and `dy`.
 *
 * @param tape Where to record.
 * @param x Activations, `[…, dIn]`, f32 or f16.
 * @param weight `[dOut, dIn]`, f32 or stored as `x`; frozen ones also f16, bf16, int8 or int4.
 * @param bias `[dOut]`, f32 or stored as `x`; none if absent.
 * @returns `[…, dOut]`, stored as `x`.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If a dtype does not fit, or a packed weight needs a gradient.
 */
export function linear(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  check(x, weight, bias);
  const y = tape.activation([...x.shape.slice(0, -1), weight.shape[0]!], {
    label: `linear(${weight.label})`,
    dtype: x.dtype,
    from: [x, weight, bias],
  });
  // Rows of the weight are columns of y: each part of it makes, or takes, its own window of those.
  const isHalf = storageOf(x) === "f16";
  const ranges = (isHalf ? castChunks : rowChunks)(weight, tape.maxBindingBytes);
  const operand = (range: Range) =>
    isHalf ? cast(tape, part(weight, range)) : part(weight, range);
  for (const range of ranges) {
    matmul(tape, "nt", { a: x, b: operand(range), c: y, cColumns: range, bias });
  }
  tape.onBackward(y, (dy) => {
    const sum = new SummedGradient(tape, x, ranges.length);
    for (const range of ranges) {
      sum.add((dx, accumulate) =>
        matmul(tape, "nn", { a: dy, aColumns: range, b: operand(range), c: dx, accumulate }),
      );
    }
    sum.finish();
    addWeightGradients(tape, { x, weight, bias, dy });
  });
  return y;
}

/** Gradients of what {@linkcode linear} multiplies by and adds. */
function addWeightGradients(
  tape: Tape,
  { x, weight, bias, dy }: { x: Tensor; weight: Tensor; bias: Tensor | undefined; dy: Tensor },
): void {
  tape.addGradient(weight, (dWeight, accumulate) => {
    for (const range of rowChunks(dWeight, tape.maxBindingBytes)) {
      matmul(tape, "tn", { a: dy, aColumns: range, b: x, c: part(dWeight, range), accumulate });
    }
  });
  if (bias === undefined) return;
  tape.addGradient(bias, (dBias, accumulate) => sumColumns(tape, dy, dBias, accumulate));
}

function check(x: Tensor, weight: Tensor, bias: Tensor | undefined): void {
  const dIn = x.shape.at(-1) ?? 0;
  const [dOut = 0, weightIn] = weight.shape;
  if (weight.shape.length !== 2 || weightIn !== dIn) {
    throw new RangeError(
      `Cannot apply linear() to x ${describe(x)}: weight must be [dOut, ${dIn}], got ${describe(weight)}`,
    );
  }
  if (bias !== undefined && bias.shape.join() !== `${dOut}`) {
    throw new RangeError(
      `Cannot apply linear() with weight ${describe(weight)}: bias must be [${dOut}], got ${describe(bias)}`,
    );
  }
  storageOf(x); // throws where it is no activation
  if (weight.dtype === "u32") {
    throw new TypeError(
      `Cannot apply linear() to x ${describe(x)}: weight must be f32, f16, bf16, int8 or int4, got ${describe(weight)}`,
    );
  }
  if (bias !== undefined && bias.dtype !== "f32" && bias.dtype !== x.dtype) {
    throw new TypeError(
      `Cannot apply linear() to x ${describe(x)}: bias must be ${x.dtype === "f16" ? "f32 or f16" : "f32"}, got ${describe(bias)}`,
    );
  }
  if (isPacked(weight, x)) checkFrozen("linear()", weight);
}
