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

/** Decades up to which 2 and 5 times a power of ten are marked too. */
const FEW_DECADES = 3;

/** Powers of ten, and 2 and 5 times them where there is room; values must be positive. */
export function logAxis({ from, to, begin, end }: AxisRange): Axis {
  const factors = Math.log10(to / from) <= FEW_DECADES ? [1, 2, 5] : [1];
  const low = Math.floor(Math.log10(from) + 1e-9);
  const high = Math.ceil(Math.log10(to) - 1e-9);
  const marks = Array.from({ length: high - low + 2 }, (_, i) =>
    factors.map((factor) => factor * 10 ** (low + i)),
  ).flat();
  const near = 1 + 1e-9;
  const first = marks.findLastIndex((mark) => mark <= from * near);
  const last = Math.max(
    first + 1,
    marks.findIndex((mark) => mark * near >= to),
  );
  const ticks = marks.slice(first, last + 1);
  const span = Math.log(ticks.at(-1)! / ticks[0]!);
  return { at: (value) => begin + (Math.log(value / ticks[0]!) / span) * (end - begin), ticks };
}
