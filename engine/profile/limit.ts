import type { Cost } from "./cost_rules.ts";

/** The ceilings of an adapter, as our own kernels reach them. */
export interface Roofline {
  /** Bytes that move between memory and processor in a second: those read and those written. */
  readonly bytesPerSecond: number;
  /** f32 operations a second; a fused multiply-add counts two. */
  readonly flopsPerSecond: number;
  /** f16 operations a second, sums in f16 too; absent without shader-f16. */
  readonly halfFlopsPerSecond?: number;
  /** Operations of subgroup matrices a second, f16 summed in f32; absent without them. */
  readonly matrixFlopsPerSecond?: number;
}

/**
 * Time that an adapter needs for a piece of work at least: operations at the rate of its units, or
 * bytes at that of its memory, whichever takes longer. Sums are in f32, so halves are faster only
 * where subgroup matrices multiply them.
 *
 * @see Williams, Waterman & Patterson, "Roofline", 2009.
 * @returns In ms.
 */
export function limitMs(roofline: Roofline, { flops, bytes, halves = false }: Cost): number {
  const { bytesPerSecond, flopsPerSecond, matrixFlopsPerSecond = 0 } = roofline;
  const rate = halves ? Math.max(flopsPerSecond, matrixFlopsPerSecond) : flopsPerSecond;
  return 1000 * Math.max(flops / rate, bytes / bytesPerSecond);
}
