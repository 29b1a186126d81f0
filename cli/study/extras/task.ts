import type { Progress } from "../../run/progress.ts";

/** What measuring an extra takes besides the model and the people. */
export interface ExtraTask {
  /** As the study's `ablations` give them. */
  readonly settings: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}
