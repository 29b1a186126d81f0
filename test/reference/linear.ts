/** `x · weightᵀ + bias` in float64, written for clarity, not speed. */
export function linearReference({
  x,
  weight,
  bias,
}: {
  x: Float64Array;
  weight: Float64Array;
  bias: Float64Array;
}): Float64Array {
  const dOut = bias.length;
  const dIn = weight.length / dOut;
  const y = new Float64Array((x.length / dIn) * dOut);
  for (let row = 0; row < x.length / dIn; row++) {
    for (let o = 0; o < dOut; o++) {
      let sum = bias[o]!;
      for (let i = 0; i < dIn; i++) sum += x[row * dIn + i]! * weight[o * dIn + i]!;
      y[row * dOut + o] = sum;
    }
  }
  return y;
}
