import { SMALL_GPT_LOSSES } from "../small_gpt.ts";
import { print } from "./measure_engine.ts";

/** Steps timed after those whose losses are checked. */
export const numTimedSteps = 5;

/**
 * Takes steps, checks the first losses against the reference and prints a `Report`.
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
    if (Number.isNaN(error)) error = Infinity;
  }
  const timesMs = times.slice(SMALL_GPT_LOSSES.length);
  return print({ error, firstMs: times[0]!, timesMs });
}
