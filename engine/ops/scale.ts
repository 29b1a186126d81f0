import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { scaleKernel } from "../../shaders/scale.wgsl.ts";
import { addActivationGradient } from "./activation_gradient.ts";
import { lanesOf } from "../lanes.ts";
import type { Tape } from "../tape.ts";
import { sizeOf, storageOf, type Tensor } from "../tensor.ts";

/**
 * Multiplication by a number.
 *
 *     y = factor · x
 *
 * Differentiable in `x`, whose gradient is stored as `x`.
 *
 * @param tape Where to record.
 * @param x Of any shape, f32 or f16.
 * @param factor A constant of the plan.
 * @returns Shaped and stored as `x`.
 */
export function scale(tape: Tape, x: Tensor, factor: number): Tensor {
  const y = tape.activation(x.shape, { label: `scale(${x.label})`, dtype: x.dtype, from: [x] });
  const length = sizeOf(x.shape);
  const lanes = lanesOf(tape.variant);
  const multiply = (from: Tensor, to: Tensor, accumulate: boolean) =>
    tape.dispatch(scaleKernel, {
      constants: { storage: storageOf(x), ...lanes, accumulate },
      params: { length, factor },
      buffers: { x: from, y: to },
      workgroups: laneWorkgroups(lanes, length),
    });
  multiply(x, y, false);
  tape.onBackward(y, (dy) =>
    addActivationGradient(tape, x, (dx, accumulate) => multiply(dy, dx, accumulate)),
  );
  return y;
}
