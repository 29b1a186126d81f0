import type { Activation } from "../../engine/ops/activation.ts";

/** Activation functions in float64, written for clarity, not speed. */
export const activationReference: Readonly<Record<Activation, (x: number) => number>> = {
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => x * normalDistribution(x),
  geluTanh: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

/** `silu(gate) · up` in float64. */
export function swiGluReference({
  gate,
  up,
}: {
  gate: Float64Array;
  up: Float64Array;
}): Float64Array {
  return gate.map((value, i) => activationReference.silu(value) * up[i]!);
}

/**
 * Φ(x) = ½ + φ(x) · (x + x³/3 + x⁵/(3·5) + …), to float64 precision where |x| < 6.
 * Marsaglia, "Evaluating the Normal Distribution", Journal of Statistical Software 11(4), 2004.
 */
function normalDistribution(x: number): number {
  if (Math.abs(x) > 12) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let n = 3; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 1000; n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
