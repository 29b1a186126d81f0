import {
  swiGluBackwardGate,
  swiGluBackwardUp,
  swiGluForward,
} from "../../shaders/activation.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, storageOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";

/**
 * Gated linear unit, between the projections of an MLP.
 *
 *     y = silu(gate) · up
 *
 * Computed in f32. Differentiable in `gate` and `up`.
 *
 * @see {@link https://arxiv.org/abs/2002.05202 | Shazeer, 2020}
 *
 * @param tape Where to record.
 * @param gate `[…, dHidden]`, f32 or f16.
 * @param up Shaped and stored as `gate`.
 * @returns Shaped and stored as `gate`.
 * @throws {RangeError} If the shapes or dtypes differ.
 * @throws {TypeError} If `gate` is u32.
 */
export function swiGlu(tape: Tape, gate: Tensor, up: Tensor): Tensor {
  if (describe(gate) !== describe(up)) {
    throw new RangeError(
      `Cannot apply swiGlu(): up must be ${describe(gate)} as gate is, got ${describe(up)}`,
    );
  }
  storageOf(gate);
  const y = tape.activation(gate.shape, { label: "swiGlu", dtype: gate.dtype, from: [gate, up] });
  tape.elementwise(swiGluForward, { gate, up, y });
  tape.onBackward(y, (dy) => {
    addActivationGradient(tape, gate, (dGate, accumulate) =>
      tape.elementwise(swiGluBackwardGate, { gate, up, dy, dGate }, accumulate),
    );
    addActivationGradient(tape, up, (dUp, accumulate) =>
      tape.elementwise(swiGluBackwardUp, { gate, dy, dUp }, accumulate),
    );
  });
  return y;
}
