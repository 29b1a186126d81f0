import { dropoutKernel, ELEMENTS_PER_DRAW } from "../../shaders/dropout.wgsl.ts";
import { laneWorkgroups } from "../../shaders/lanes.wgsl.ts";
import { lanesOf } from "../lanes.ts";
import type { Tape } from "../tape.ts";
import { describe, sizeOf, storageOf, type Tensor } from "../tensor.ts";
import { addActivationGradient } from "./activation_gradient.ts";

/** Number of elements of the tensor that holds a {@linkcode randomnessOf}. */
export const RANDOMNESS_LENGTH = 4;

/** Options of {@linkcode dropout}. */
export interface DropoutOptions {
  /** Share of elements to zero, in [0, 1). */
  readonly rate: number;
  /** {@linkcode randomnessOf} the step, `[4]` u32; data, written before each replay. */
  readonly randomness: Tensor;
  /** Tells this op from the others of a model, which must not share their masks. */
  readonly id: number;
}

/**
 * Values of the `randomness` tensor of a step.
 *
 * @param options `seed` of the run, a safe integer; `step` and `microBatch` count from any number.
 * @throws {RangeError} If the seed is no safe integer, or negative.
 */
export function randomnessOf({
  seed,
  step,
  microBatch = 0,
}: {
  readonly seed: number;
  readonly step: number;
  readonly microBatch?: number;
}): Uint32Array<ArrayBuffer> {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(
      `Cannot seed random numbers: the seed must be an integer in [0, 2^53), got ${seed}`,
    );
  }
  return new Uint32Array([seed % 2 ** 32, Math.floor(seed / 2 ** 32), step, microBatch]);
}

/**
 * Zeroes elements at random and scales the others by 1 / (1 − rate), so that the mean stays.
 *
 *     y = mask · x / (1 − rate)
 *
 * Stores no mask: backward draws it again from (seed, step, micro-batch, id, element), so that
 * two runs of one seed are equal in every bit. A rate of 0 records nothing. Differentiable in `x`.
 *
 * @see {@link https://jmlr.org/papers/v15/srivastava14a.html | Srivastava et al., 2014}
 *
 * @param tape Where to record.
 * @param x Any shape, f32 or f16.
 * @param options Rate, source of randomness and the op's own number.
 * @returns Shaped and stored as `x`.
 * @throws {RangeError} If the rate is outside [0, 1), or `randomness` is not `[4] u32`.
 */
export function dropout(tape: Tape, x: Tensor, { rate, randomness, id }: DropoutOptions): Tensor {
  if (!(rate >= 0 && rate < 1)) {
    throw new RangeError(`Cannot apply dropout(): the rate must lie in [0, 1), got ${rate}`);
  }
  if (describe(randomness) !== `[${RANDOMNESS_LENGTH}] u32`) {
    throw new RangeError(
      `Cannot apply dropout(): randomness must be [${RANDOMNESS_LENGTH}] u32, got ${describe(randomness)}`,
    );
  }
  if (rate === 0) return x;
  const length = sizeOf(x.shape);
  const storage = storageOf(x);
  const numDraws = Math.ceil(length / ELEMENTS_PER_DRAW);
  const lanes = lanesOf(tape.variant);
  const threshold = Math.min(Math.round(rate * 2 ** 32), 2 ** 32 - 1);
  const y = tape.activation(x.shape, { label: `dropout ${id}`, dtype: x.dtype, from: [x] });
  const mask = (from: Tensor, to: Tensor, accumulate: boolean) =>
    tape.dispatch(dropoutKernel, {
      constants: { ...lanes, storage, accumulate },
      params: { length, numDraws, id, threshold, scale: 1 / (1 - rate) },
      buffers: { x: from, randomness, y: to },
      workgroups: laneWorkgroups(lanes, numDraws),
    });
  mask(x, y, false);
  tape.onBackward(y, (dy) =>
    addActivationGradient(tape, x, (dx, accumulate) => mask(dy, dx, accumulate)),
  );
  return y;
}
