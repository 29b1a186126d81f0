/** Middle of some measurements, and how far it may be off. */
export interface Band {
  /** Median. */
  readonly middle: number;
  /** The true median lies between these with a confidence of 95 %, or what few values can tell. */
  readonly low: number;
  readonly high: number;
}

/** Middle value; the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle - 0.5)]! + sorted[Math.floor(middle)]!) / 2;
}

/**
 * Median and its confidence interval of 95 % by order statistics, whatever the distribution: the
 * ranks between which a fair coin's count of heads lies. Five values or fewer give their range.
 *
 * @param values At least one.
 * @see {@link https://doi.org/10.1002/0471722162 | David & Nagaraja, "Order Statistics", 2003}, section 7.1
 * @throws {RangeError} If there are none.
 */
export function medianBand(values: readonly number[]): Band {
  if (values.length === 0) {
    throw new RangeError("Cannot find a median: there must be measurements, got none");
  }
  const sorted = values.toSorted((a, b) => a - b);
  const { length } = sorted;
  let cut = 0;
  let [chance, below] = [2 ** -length, 2 ** -length]; // of `cut` heads, and of at most `cut`
  while (below <= 0.025 && cut + 1 < length / 2) {
    cut += 1;
    chance *= (length - cut + 1) / cut;
    below += chance;
  }
  const begin = below > 0.025 ? Math.max(0, cut - 1) : cut;
  return { middle: median(sorted), low: sorted[begin]!, high: sorted[length - 1 - begin]! };
}

/** A line through points by least squares. */
export interface Fit {
  readonly slope: number;
  readonly intercept: number;
  /** Standard error of the slope; NaN of fewer than three points. */
  readonly slopeError: number;
  /** Share of the variance that the line explains. */
  readonly r2: number;
}

/**
 * Fits `y = intercept + slope · x` by least squares.
 *
 * @throws {RangeError} If there are fewer than two points, or all have the same `x`.
 */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Fit {
  const { length } = points;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / length;
  let [xx, xy, yy] = [0, 0, 0];
  for (const [x, y] of points) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (y - meanY);
    yy += (y - meanY) ** 2;
  }
  if (length < 2 || xx === 0) {
    throw new RangeError(
      `Cannot fit a line: points must have at least two different x, got ${length} points`,
    );
  }
  const slope = xy / xx;
  const residual = Math.max(0, yy - slope * xy);
  return {
    slope,
    intercept: meanY - slope * meanX,
    slopeError: length > 2 ? Math.sqrt(residual / (length - 2) / xx) : NaN,
    r2: yy === 0 ? 1 : 1 - residual / yy,
  };
}

/**
 * Fits `y = c · xᵉ`, a line in log-log; `slope` is the exponent.
 *
 * @throws {RangeError} If a coordinate is not positive, or as {@linkcode fitLine}.
 */
export function fitPower(points: readonly (readonly [x: number, y: number])[]): Fit {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  if (!logs.flat().every(Number.isFinite)) {
    throw new RangeError("Cannot fit a power: coordinates must be positive, got others");
  }
  return fitLine(logs);
}
