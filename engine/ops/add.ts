import { add as addKernel } from "../../shaders/elementwise.wgsl.ts";
import type { Tape } from "../tape.ts";
import { describe, type Tensor } from "../tensor.ts";
import { checkActivation } from "./activation_gradient.ts";

/**
 * Sum of two tensors of one shape, such as the residual stream and a block's output.
 *
 *     y = a + b
 *
 * Backward copies nothing: both gradients share the memory of `dy` until one of them changes.
 *
 * @param tape Where to record.
 * @param a Any shape, f32 or f16.
 * @param b Shaped and stored as `a`.
 * @returns Shaped and stored as `a`.
 * @throws {RangeError} If the shapes or dtypes differ.
 */
export function add(tape: Tape, a: Tensor, b: Tensor): Tensor {
  if (describe(a) !== describe(b)) {
    throw new RangeError(`Cannot add(): b must be ${describe(a)} as a is, got ${describe(b)}`);
  }
  const y = tape.activation(a.shape, { label: "add", dtype: a.dtype, from: [a, b] });
  tape.elementwise(addKernel, { a, b, y });
  tape.onBackward(y, (dy) => {
    checkActivation(a);
    checkActivation(b);
    tape.passGradient(a, dy);
    tape.passGradient(b, dy);
  });
  return y;
}
