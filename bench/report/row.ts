import { medianBand } from "./statistics.ts";

/** Groups of a run, in the order of tables. */
export const SUITE_GROUPS = [
  "kernels",
  "train step",
  "prefill",
  "decode",
  "titles",
  "loading",
] as const;
export type SuiteGroup = (typeof SUITE_GROUPS)[number];

/** One figure of a run, as it stands in the file. Times are in ms, memory in bytes. */
export interface BenchRow {
  /** The same in every version: results are compared by it. */
  readonly id: string;
  readonly group: SuiteGroup;
  readonly shape: string;
  readonly dtype: string;
  /** Median time of one replay, step, token or load. */
  readonly ms: number;
  /** Between these lies the true median: see `medianBand()`. */
  readonly lowMs: number;
  readonly highMs: number;
  readonly numRounds: number;
  /** What told the time. */
  readonly clock: "timestamps" | "wall";
  /** Compilation and the first run, where nothing was compiled before. */
  readonly firstMs?: number;
  readonly gflops?: number;
  readonly gbps?: number;
  /** The least time that the adapter could take, over the time that it took. */
  readonly limitShare?: number;
  readonly tokensPerSecond?: number;
  /** Most device memory while it ran. */
  readonly peakBytes?: number;
  /** Largest error, in units of what rounding may cause: at most 1, or there is no row. */
  readonly error?: number;
}

/** Work of a row, for what is derived from it. */
export interface Work {
  readonly flops: number;
  readonly bytes: number;
}

/** The least time of some work on an adapter, ms; undefined while nobody measured it. */
export type LimitMs = ((work: Work & { readonly dtype: string }) => number) | undefined;

/** Times of a row's rounds. */
export interface Timed {
  readonly rounds: readonly number[];
  readonly clock: BenchRow["clock"];
}

/**
 * A row of measured times and the work that they took.
 *
 * @param about What was measured.
 * @param timed Each round's time, in ms.
 * @param options `work` of one round, and the adapter's limit.
 */
export function rowOf(
  about: Omit<BenchRow, "ms" | "lowMs" | "highMs" | "numRounds" | "clock">,
  { rounds, clock }: Timed,
  { work, limitMs }: { readonly work?: Work; readonly limitMs?: LimitMs } = {},
): BenchRow {
  const { middle: ms, low: lowMs, high: highMs } = medianBand(rounds);
  const time = { ms, lowMs, highMs, numRounds: rounds.length, clock };
  if (work === undefined || !(ms > 0)) return { ...about, ...time };
  return {
    ...about,
    ...time,
    gflops: work.flops / ms / 1e6,
    gbps: work.bytes / ms / 1e6,
    ...(limitMs !== undefined && { limitShare: limitMs({ ...work, dtype: about.dtype }) / ms }),
  };
}

/** A row beside another limit than the one it was measured with. */
export function againstLimit(row: BenchRow, limitMs: NonNullable<LimitMs>): BenchRow {
  const { gflops, gbps, ms, dtype, limitShare } = row;
  if (gflops === undefined || gbps === undefined || limitShare === undefined) return row;
  const work = { flops: gflops * ms * 1e6, bytes: gbps * ms * 1e6, dtype };
  return { ...row, limitShare: limitMs(work) / ms };
}
