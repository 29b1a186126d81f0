import { Bench } from "tinybench";
import type { Timed } from "../report/row.ts";
import type { Thoroughness } from "../cases/mod.ts";

/** A round of host work takes at least so many calls, and at least this long. */
const LEAST_CALLS = 2;

/**
 * Times calls that the host waits for, one after another, by tinybench. What is timed has run once
 * before, so that everything is compiled.
 *
 * @param call What to time.
 * @param effort `rounds` calls, fewer where they exceed `maxMs`.
 * @throws {Error} What the call throws.
 */
export async function timeCalls(
  call: () => Promise<unknown>,
  { rounds, maxMs }: Pick<Thoroughness, "rounds" | "maxMs">,
): Promise<Timed> {
  const begin = performance.now();
  await call();
  const onceMs = performance.now() - begin;
  const affordable = Math.floor(maxMs / Math.max(onceMs, 1e-3));
  const iterations = Math.max(LEAST_CALLS, Math.min(rounds, affordable));
  const bench = new Bench({
    iterations,
    time: 0,
    warmup: false,
    retainSamples: true,
    throws: true,
  });
  bench.add("call", call, { async: true });
  const [task] = await bench.run();
  const { result } = task!;
  if (result.state !== "completed") {
    throw new Error(`Cannot time a call: it must complete, got "${result.state}"`);
  }
  return { rounds: [...result.latency.samples!], clock: "wall" };
}
