import type { GradientWriter, Tape } from "../tape.ts";
import { describe, isParameter, type Tensor } from "../tensor.ts";

/**
 * As `tape.addGradient()`, for kernels that store the gradient of `x` as `x` is stored.
 *
 * @param tape Where to record.
 * @param x What is differentiated; nothing is recorded where it carries no gradient.
 * @param write Records the dispatches.
 * @throws {TypeError} If `x` is a parameter of halves, whose gradient is f32.
 */
export function addActivationGradient(tape: Tape, x: Tensor, write: GradientWriter): void {
  checkActivation(x);
  tape.addGradient(x, write);
}

/**
 * Checks that the gradient of a tensor is stored as the tensor is.
 *
 * @throws {TypeError} If it is not: parameters of halves have gradients in f32.
 */
export function checkActivation(x: Tensor): void {
  if (x.needsGradient && isParameter(x) && x.dtype !== "f32") {
    throw new TypeError(
      `Cannot differentiate "${x.label}": a parameter that is used as an activation must be f32, got ${describe(x)}`,
    );
  }
}
