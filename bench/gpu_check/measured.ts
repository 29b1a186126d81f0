import { limitOf, type Thoroughness } from "../cases/mod.ts";
import type { BenchRow } from "../report/row.ts";
import { formatNumber, formatShare } from "../report/format.ts";
import type { BenchItem } from "../suite/item.ts";
import type { CheckContext, Finding } from "./section.ts";

/** Enough for a median, on work that takes milliseconds. */
const EFFORT: Thoroughness = { rounds: 5, minMs: 10, maxMs: 2000 };

/**
 * Measures items of the benchmark on the tuned, fast device until the time is up.
 *
 * @param items What to measure, the most important first.
 * @param context Device and ceilings.
 * @param deadline When to stop, as `performance.now()` tells.
 * @param wants Which rows of the items. @default {all}
 */
export async function measureItems(
  items: readonly BenchItem[],
  { fast: { gpu }, scale, roofline, say, rows: all }: CheckContext,
  deadline: number,
  wants: (id: string) => boolean = () => true,
): Promise<Finding & { readonly rows: readonly BenchRow[] }> {
  const rows: BenchRow[] = [];
  const failures: string[] = [];
  const skipped: string[] = [];
  const limitMs = roofline && limitOf(roofline);
  const context = { gpu, scale, isQuick: scale === "small", effort: EFFORT, limitMs, wants };
  for (const { ids, run } of items) {
    if (performance.now() > deadline) {
      skipped.push(...ids.filter(wants));
      continue;
    }
    try {
      for (const row of await run(context)) {
        rows.push(row);
        all.push(row);
        say(lineOf(row));
      }
    } catch (error) {
      failures.push(`${ids[0]}: ${(error as Error).message}`);
      say(failures.at(-1)!);
    }
  }
  return {
    rows,
    body: { rows, failures, skipped },
    lines: [
      ...rows.map(lineOf),
      ...(skipped.length > 0 ? [`${skipped.length} rows skipped: there was no time left`] : []),
    ],
    failures,
  };
}

/** A row in words. */
function lineOf({ id, ms, gflops, gbps, limitShare, tokensPerSecond }: BenchRow): string {
  return [
    `${id}: ${formatNumber(ms)} ms`,
    ...(tokensPerSecond === undefined ? [] : [`${formatNumber(tokensPerSecond)} tokens/s`]),
    ...(gflops === undefined ? [] : [`${formatNumber(gflops)} GFLOP/s`]),
    ...(gbps === undefined ? [] : [`${formatNumber(gbps)} GB/s`]),
    ...(limitShare === undefined ? [] : [`${formatShare(limitShare)} of the limit`]),
  ].join(", ");
}
