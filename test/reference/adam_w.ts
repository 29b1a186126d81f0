/** A parameter and its moments. */
export interface AdamWReferenceState {
  p: Float64Array;
  m: Float64Array;
  v: Float64Array;
}

/** One step of AdamW in float64, as algorithm 2 of the paper prints it. */
export function adamWReference(
  { p, m, v }: AdamWReferenceState,
  gradient: Float64Array,
  h: {
    learningRate: number;
    beta1: number;
    beta2: number;
    eps: number;
    step: number;
    weightDecay: number;
  },
): AdamWReferenceState {
  const newM = m.map((value, i) => h.beta1 * value + (1 - h.beta1) * gradient[i]!);
  const newV = v.map((value, i) => h.beta2 * value + (1 - h.beta2) * gradient[i]! ** 2);
  const newP = p.map((value, i) => {
    const mHat = newM[i]! / (1 - h.beta1 ** h.step);
    const vHat = newV[i]! / (1 - h.beta2 ** h.step);
    return value - h.learningRate * (mHat / (Math.sqrt(vHat) + h.eps) + h.weightDecay * value);
  });
  return { p: newP, m: newM, v: newV };
}
