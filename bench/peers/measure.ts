import { SMALL_GPT_LOSSES } from "../small_gpt.ts";
import type { Report } from "./tasks.ts";

/** Steps timed after those whose losses are checked. */
export const numTimedSteps = 5;

/** What a measured process prints. */
export interface Measured extends Report {
  /** Time to the end of the first step, compilation included. */
  readonly firstStepMs: number;
  /** Time of each later step. */
  readonly stepsMs: readonly number[];
}

/**
 * Takes steps, checks the first losses against the reference and prints the times as one JSON line.
 *
 * @param numSteps Steps to take.
 * @param step Takes the step of that number, from 1, and returns its loss.
 */
export async function measure(
  numSteps: number,
  step: (count: number) => Promise<number>,
): Promise<never> {
  const times: number[] = [];
  let error = 0;
  for (let count = 1; count <= numSteps; count++) {
    const begin = performance.now();
    const loss = await step(count);
    times.push(performance.now() - begin);
    const expected = SMALL_GPT_LOSSES[count - 1];
    if (expected !== undefined) error = Math.max(error, Math.abs(loss - expected));
  }
  const stepsMs = times.slice(SMALL_GPT_LOSSES.length);
  const firstMs = times[0]!;
  const measured: Measured = { error, firstMs, timesMs: stepsMs, firstStepMs: firstMs, stepsMs };
  process.stdout.write(`${JSON.stringify(measured)}\n`, () => process.exit(0));
  return new Promise(() => {});
}
