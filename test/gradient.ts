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

/** Sum of products, in float64. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
