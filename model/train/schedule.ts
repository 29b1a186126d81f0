/** How the learning rate changes over a run. */
export interface LearningRateOptions {
  /** Rate at the end of the warm-up. */
  readonly learningRate: number;
  /** Steps of a run; the decay ends with the last. */
  readonly maxSteps: number;
  /** Steps over which the rate rises linearly from 0. @default {0} */
  readonly warmupSteps?: number;
  /** Course after the warm-up. @default {"cosine"} */
  readonly decay?: "linear" | "cosine" | "constant";
  /** Rate at the end, as a share of `learningRate`. @default {0} */
  readonly finalShare?: number;
}

/**
 * Learning rate of a step.
 *
 *     warm-up   rate = learningRate · step / warmupSteps
 *     then      rate = learningRate · (finalShare + (1 − finalShare) · course(progress))
 *     linear    course(p) = 1 − p         cosine   course(p) = (1 + cos πp) / 2
 *
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
  // The last step still moves: the rate reaches its end one step after it.
  const progress = Math.min(1, (step - 1 - warmupSteps) / Math.max(1, maxSteps - warmupSteps));
  const course = decay === "linear" ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2;
  return learningRate * (finalShare + (1 - finalShare) * course);
}
