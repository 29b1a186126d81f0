import { activation, type Activation } from "./activation.ts";
import { checkActivation } from "./activation_gradient.ts";
import { add } from "./add.ts";
import { cast, castChunks } from "./cast.ts";
import { hasEpilogue, isForFewRows, matmul } from "./matmul.ts";
import { checkFrozen, isPacked } from "./packed_matmul.ts";
import { scale } from "./scale.ts";
import { sumColumns } from "./sum_columns.ts";
import { SummedGradient } from "./summed_gradient.ts";
import { part, type Range, rowChunks } from "../split.ts";
import type { Tape } from "../tape.ts";
import { describe, storageOf, type Tensor } from "../tensor.ts";

/** What {@linkcode linear} does beside multiplying. */
export interface LinearOptions {
  /** `[dOut]`, f32 or stored as `x`. @default {none} */
  readonly bias?: Tensor | undefined;
  /** Multiplies the product, not the bias. @default {1} */
  readonly scale?: number | undefined;
  /** Function of the scaled product and its bias. @default {none} */
  readonly activation?: Activation | undefined;
  /** Shaped and stored as the result, and added in the end. @default {none} */
  readonly residual?: Tensor | undefined;
}

/** What is multiplied and added, once checked. */
interface LinearOperands extends LinearOptions {
  readonly x: Tensor;
  readonly weight: Tensor;
}

/**
 * Affine map of the last axis.
 *
 *     y = f(scale · x · weightᵀ + bias) + residual
 *
 * Sums in f32; all of it is one kernel, unless the weight is packed, rows are few, or `f` is to be
 * differentiated: then what that kernel cannot do follows apart. Differentiable in `x` and `residual`, whose
 * gradients are stored as they are, `weight` and `bias`. A weight larger than the device can bind at
 * once is taken in parts of its rows; sums over parts are f32, too. Halves are multiplied by halves:
 * a weight stored otherwise is copied for each use, and its gradient is summed in f32 from the
 * halves of `x` and `dy`.
 *
 * @param tape Where to record.
 * @param x Activations, `[…, dIn]`, f32 or f16.
 * @param weight `[dOut, dIn]`, f32 or stored as `x`; frozen ones also f16, bf16, int8 or int4.
 * @param options Bias, factor, function and residual; or the bias itself.
 * @returns `[…, dOut]`, stored as `x`.
 * @throws {RangeError} If the shapes do not fit.
 * @throws {TypeError} If a dtype does not fit, or a packed weight needs a gradient.
 */
export function linear(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  options: Tensor | LinearOptions = {},
): Tensor {
  const given = "shape" in options ? { bias: options } : options;
  const { bias, scale: factor = 1, activation: name, residual } = given;
  check(x, weight, bias);
  if (residual !== undefined) checkResidual(x, weight, residual);
  // Kernels of packed weights and of few rows add nothing but a bias.
  const isPlain = (x.dtype === "f32" && isPacked(weight, x)) || isForFewRows(x, weight);
  const isTrained = [x, weight, bias].some((tensor) => tensor?.needsGradient === true);
  if (!hasEpilogue(given) || (!isPlain && (name === undefined || !isTrained))) {
    return fused(tape, { ...given, x, weight });
  }
  const scaled = isPlain && factor !== 1 ? scale(tape, x, factor) : x;
  const rest = isPlain ? {} : { scale: factor };
  const affine = fused(tape, { x: scaled, weight, bias, ...rest });
  const y = name === undefined ? affine : activation(tape, affine, name);
  return residual === undefined ? y : add(tape, y, residual);
}

/** The map as one product, or one for each part of the weight. */
function fused(tape: Tape, operands: LinearOperands): Tensor {
  const { x, weight, bias, residual, scale: factor, activation: name } = operands;
  const y = tape.activation([...x.shape.slice(0, -1), weight.shape[0]!], {
    label: `linear(${weight.label})`,
    dtype: x.dtype,
    from: [x, weight, bias, residual],
  });
  // Rows of the weight are columns of y: each part of it makes, or takes, its own window of those.
  const isHalf = storageOf(x) === "f16";
  const ranges = (isHalf ? castChunks : rowChunks)(weight, tape.maxBindingBytes);
  const operand = (range: Range) =>
    isHalf ? cast(tape, part(weight, range)) : part(weight, range);
  const epilogue = { bias, residual, scale: factor, activation: name };
  for (const range of ranges) {
    matmul(tape, "nt", { a: x, b: operand(range), c: y, cColumns: range, ...epilogue });
  }
  tape.onBackward(y, (dy) => {
    if (residual !== undefined) {
      checkActivation(residual);
      tape.passGradient(residual, dy);
    }
    const sum = new SummedGradient(tape, x, ranges.length);
    for (const range of ranges) {
      sum.add((c, accumulate) => {
        const window = { a: dy, aColumns: range, b: operand(range), c };
        matmul(tape, "nn", { ...window, scale: factor, accumulate });
      });
    }
    sum.finish();
    addWeightGradients(tape, operands, dy);
  });
  return y;
}

/** Gradients of what {@linkcode linear} multiplies by and adds. */
function addWeightGradients(
  tape: Tape,
  { x, weight, bias, scale: factor }: LinearOperands,
  dy: Tensor,
): void {
  tape.addGradient(weight, (dWeight, accumulate) => {
    for (const range of rowChunks(dWeight, tape.maxBindingBytes)) {
      const window = { a: dy, aColumns: range, b: x, c: part(dWeight, range) };
      matmul(tape, "tn", { ...window, scale: factor, accumulate });
    }
  });
  if (bias === undefined) return;
  tape.addGradient(bias, (dBias, accumulate) => sumColumns(tape, dy, dBias, accumulate));
}

function checkResidual(x: Tensor, weight: Tensor, residual: Tensor): void {
  const y = { shape: [...x.shape.slice(0, -1), weight.shape[0]!], dtype: x.dtype };
  if (describe(residual) === describe(y)) return;
  throw new RangeError(
    `Cannot apply linear() with weight ${describe(weight)}: residual must be ${describe(y)}, got ${describe(residual)}`,
  );
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
