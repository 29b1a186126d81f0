/** Step of central differences: their error is of the order of its square. */
const STEP = 1e-4;

/**
 * Derivative of a function at 0 by central differences, in float64, so that no reference needs a
 * backward formula.
 *
 * @param f Smooth; takes what is added to the variable.
 */
export function derivative(f: (change: number) => number): number {
  return (f(STEP) - f(-STEP)) / (2 * STEP);
}
