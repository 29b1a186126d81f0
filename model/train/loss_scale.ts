/**
 * Dynamic loss scaling: gradients of halves vanish below 2⁻²⁴, so backward begins with a seed as
 * large as they can bear, and the update divides by it.
 *
 *     finite gradients       after `growthInterval` steps in a row, scale ← 2 · scale
 *     NaN or infinity        the step is skipped, scale ← scale / 2
 *
 * Scales are powers of two: multiplying and dividing by them rounds nothing.
 *
 * @see {@link https://arxiv.org/abs/1710.03740 | Micikevicius et al., "Mixed Precision Training", 2018}
 */

/** How the scale begins, moves and ends. */
export interface LossScaleOptions {
  /** First scale, a power of two. @default {2 ** 16} */
  readonly initial?: number;
  /** Finite steps in a row after which it doubles. @default {2000} */
  readonly growthInterval?: number;
  /** Largest scale. @default {2 ** 24} */
  readonly most?: number;
  /** Skipped steps in a row at which a run stops. @default {100} */
  readonly maxSkips?: number;
}

/** What a run must remember of its loss scale. */
export interface LossScale {
  /** Of the next step; below 1 only where a run stops. */
  readonly scale: number;
  /** Finite steps since the scale last changed. */
  readonly numFinite: number;
  /** Skipped steps since the last finite one. */
  readonly numSkipped: number;
}

/**
 * The scale of the first step.
 *
 * @throws {RangeError} If an option is out of range.
 */
export function initialLossScale(options: LossScaleOptions = {}): LossScale {
  const { initial, growthInterval, most, maxSkips } = withDefaults(options);
  for (const [name, value] of Object.entries({ initial, most })) {
    if (value >= 1 && value <= 2 ** 32 && Number.isInteger(Math.log2(value))) continue;
    throw new RangeError(
      `Cannot scale a loss: ${name} must be a power of two from 1 to 2 ** 32, got ${value}`,
    );
  }
  for (const [name, value] of Object.entries({ growthInterval, maxSkips })) {
    if (value >= 1) continue;
    throw new RangeError(`Cannot scale a loss: ${name} must be positive, got ${value}`);
  }
  return { scale: Math.min(initial, most), numFinite: 0, numSkipped: 0 };
}

/** The scale after a step whose gradients were finite, or which was skipped since they were not. */
export function nextLossScale(
  { scale, numFinite, numSkipped }: LossScale,
  isFinite: boolean,
  options: LossScaleOptions = {},
): LossScale {
  const { growthInterval, most } = withDefaults(options);
  if (!isFinite) return { scale: scale / 2, numFinite: 0, numSkipped: numSkipped + 1 };
  const grows = numFinite + 1 >= growthInterval;
  return {
    scale: grows ? Math.min(2 * scale, most) : scale,
    numFinite: grows ? 0 : numFinite + 1,
    numSkipped: 0,
  };
}

/** Why a run cannot go on with this scale, if it cannot. */
export function hopelessness(
  { scale, numSkipped }: LossScale,
  options: LossScaleOptions = {},
): string | undefined {
  const { maxSkips } = withDefaults(options);
  if (scale < 1) return "a loss that overflows in half precision without any scale";
  if (numSkipped >= maxSkips) return `${numSkipped} steps in a row that overflow in half precision`;
  return undefined;
}

function withDefaults(options: LossScaleOptions): Required<LossScaleOptions> {
  return { initial: 2 ** 16, growthInterval: 2000, most: 2 ** 24, maxSkips: 100, ...options };
}
