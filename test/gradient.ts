/**
 * Gradient of a scalar function by central differences, in float64.
 *
 * The step ∛ε ≈ 6e-6 balances truncation against rounding: both stay near
 * 1e-10 of the value, far below what a kernel in f32 can resolve.
 *
 * @param f Function of one array.
 * @param x Point at which to differentiate; left unchanged.
 * @returns ∂f/∂x, same length as `x`.
 */
export function centralDifferences(f: (x: Float64Array) => number, x: Float64Array): Float64Array {
  const step = Math.cbrt(Number.EPSILON);
  return x.map((value, i) => {
    const h = step * Math.max(1, Math.abs(value));
    return (f(x.with(i, value + h)) - f(x.with(i, value - h))) / (2 * h);
  });
}

/**
 * Derivative of a scalar function along one direction, by a central difference in float64.
 *
 * For inputs too large to perturb one by one: it equals `dot(∂f/∂x, direction)`.
 *
 * @param f Function of one array.
 * @param x Point at which to differentiate; left unchanged.
 * @param direction Same length as `x`; of size 1 or so, or the step is out of balance.
 */
export function directionalDerivative(
  f: (x: Float64Array) => number,
  x: Float64Array,
  direction: ArrayLike<number>,
): number {
  const step = Math.cbrt(Number.EPSILON);
  const along = (h: number) => f(x.map((value, i) => value + h * direction[i]!));
  return (along(step) - along(-step)) / (2 * step);
}

/** Sum of products, in float64. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
