/** Terms after which a series or a continued fraction has long converged. */
const MOST_TERMS = 1000;
const PRECISION = 1e-15;

/**
 * Probability that a χ² variable is at least `x`:
 *
 *     Q(k/2, x/2), the regularized upper incomplete gamma function
 *
 * by its series for small `x` and by Lentz's continued fraction for large `x`.
 *
 * @see {@link https://dlmf.nist.gov/8.9 | DLMF 8.9}
 *
 * @param x At least 0; `Infinity` has probability 0.
 * @param degrees Degrees of freedom, positive.
 */
export function chiSquareTail(x: number, degrees: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x <= 0) return 1;
  if (x === Infinity) return 0;
  const [a, z] = [degrees / 2, x / 2];
  const scale = Math.exp(a * Math.log(z) - z - logGamma(a));
  return z < a + 1 ? 1 - scale * lowerSeries(a, z) : scale * upperFraction(a, z);
}

/** Probability that a standard normal variable is at least as far from 0 as `z`. */
export function normalTails(z: number): number {
  return chiSquareTail(z ** 2, 1);
}

function lowerSeries(a: number, z: number): number {
  let [term, sum] = [1 / a, 1 / a];
  for (let n = 1; n < MOST_TERMS && term > PRECISION * sum; n++) {
    term *= z / (a + n);
    sum += term;
  }
  return sum;
}

function upperFraction(a: number, z: number): number {
  const tiny = 1e-300;
  let b = z + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let h = d;
  for (let n = 1; n < MOST_TERMS; n++) {
    const numerator = -n * (n - a);
    b += 2;
    d = numerator * d + b;
    d = 1 / (Math.abs(d) < tiny ? tiny : d);
    c = b + numerator / c;
    if (Math.abs(c) < tiny) c = tiny;
    h *= c * d;
    if (Math.abs(c * d - 1) < PRECISION) break;
  }
  return h;
}

/** Logarithm of Γ for positive `x`: Stirling's series, after shifting `x` above 10. */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 10; y++) shift += Math.log(y);
  const r = 1 / (y * y);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
