import {
  type Activation,
  activationBackward,
  activationForward,
} from "../../shaders/activation.wgsl.ts";
import type { Tape } from "../tape.ts";
import { storageOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";

export type { Activation };

/**
 * An activation function of every element.
 *
 *     silu      y = x · σ(x)
 *     gelu      y = x · Φ(x)
 *     geluTanh  y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
 *
 * Computed in f32, within 1e-6 of the exact value for inputs up to 8. Differentiable in `x`.
 *
 * @see {@link https://arxiv.org/abs/1606.08415 | Hendrycks & Gimpel, 2016}
 *
 * @param tape Where to record.
 * @param x Any shape, f32 or f16.
 * @param name Which function.
 * @returns Shaped and stored as `x`.
 * @throws {TypeError} If `x` is u32.
 */
export function activation(tape: Tape, x: Tensor, name: Activation): Tensor {
  storageOf(x);
  const y = tape.activation(x.shape, { label: name, dtype: x.dtype, from: [x] });
  tape.elementwise(activationForward[name], { x, result: y });
  tape.onBackward(y, (dy) =>
    addActivationGradient(tape, x, (dx, accumulate) =>
      tape.elementwise(activationBackward[name], { x, dy, dx }, accumulate),
    ),
  );
  return y;
}
