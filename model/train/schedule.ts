/** How the learning rate changes over a run. */
export interface LearningRateOptions {
  /** Rate at the end of the warm-up. */
  readonly learningRate: number;
  /** Steps of a run; the decay ends with the last. */
  readonly maxSteps: number;
  /** Steps over which the rate rises linearly from 0. @default {0} */
  readonly warmupSteps?: number;
  /**
   * Course after the warm-up; that of `"inverse-sqrt"` does not know where a run ends.
   *
   * @default {"cosine"}
   */
  readonly decay?: "linear" | "cosine" | "constant" | "inverse-sqrt";
  /** Rate at the end, as a share of `learningRate`. @default {0} */
  readonly finalShare?: number;
}

/**
 * Learning rate of a step.
 *
 *     warm-up   rate = learningRate · step / warmupSteps
 *     then      rate = learningRate · (finalShare + (1 − finalShare) · course(progress))
 *     linear    course(p) = 1 − p         cosine   course(p) = (1 + cos πp) / 2
 *     inverse-sqrt   course = √(max(1, warmupSteps) / step)
 *
 * @see {@link https://arxiv.org/abs/1706.03762 | Vaswani et al., 2017}, section 5.3
 * @see {@link https://arxiv.org/abs/1608.03983 | Loshchilov & Hutter, "SGDR", 2017}
 *
 * @param step Counted from 1.
 * @param options Course of the rate.
 */
export function learningRateAt(
  step: number,
  {
    learningRate,
    maxSteps,
    warmupSteps = 0,
    decay = "cosine",
    finalShare = 0,
  }: LearningRateOptions,
): number {
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  if (decay === "constant") return learningRate;
  const rate = (course: number) => learningRate * (finalShare + (1 - finalShare) * course);
  if (decay === "inverse-sqrt") return rate(Math.sqrt(Math.max(1, warmupSteps) / step));
  // The last step still moves: the rate reaches its end one step after it.
  const progress = Math.min(1, (step - 1 - warmupSteps) / Math.max(1, maxSteps - warmupSteps));
  return rate(decay === "linear" ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2);
}
