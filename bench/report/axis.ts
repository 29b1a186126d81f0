/** Places of values along a line. */
export interface Axis {
  /** Place of a value. */
  readonly at: (value: number) => number;
  /** Values to mark. */
  readonly ticks: readonly number[];
}

/** Where an axis runs, and over which values. */
export interface AxisRange {
  readonly from: number;
  readonly to: number;
  /** Places of `from` and `to`. */
  readonly begin: number;
  readonly end: number;
}

/** Even steps of 1, 2 or 5 times a power of ten, from zero or below. */
export function linearAxis({ from, to, begin, end }: AxisRange): Axis {
  const span = to > from ? to - from : 1;
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(from / step);
  const last = Math.floor((from + span) / step + 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { at: (value) => begin + ((value - from) / span) * (end - begin), ticks };
}

/** Powers of ten; values must be positive. */
export function logAxis({ from, to, begin, end }: AxisRange): Axis {
  const low = Math.floor(Math.log10(from) + 1e-9);
  const high = Math.max(low + 1, Math.ceil(Math.log10(to) - 1e-9));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const at = (value: number) => begin + ((Math.log10(value) - low) / (high - low)) * (end - begin);
  return { at, ticks };
}
