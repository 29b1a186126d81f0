/** The ends of an axis. */
export type Interval = readonly [low: number, high: number];

/** Narrower than this, against its numbers or at all, an axis has no room for ticks. */
const NARROWEST = 1e-9;
const SMALLEST = 1e-100;

/**
 * The least and the greatest of some numbers, with room around them where they are all the same.
 *
 * @param values Finite; positive for a logarithmic axis, and then both ends are.
 */
export function domainOf(values: Iterable<number>): Interval {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (low > high || size < SMALLEST) return [-1, 1];
  return high - low > NARROWEST * size ? [low, high] : [low - size / 2, high + size / 2];
}
