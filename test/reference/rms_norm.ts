/** RMSNorm over the last axis in float64, written for clarity, not speed. */
export function rmsNormReference(
  { x, weight }: { x: Float64Array; weight: Float64Array },
  eps: number,
): Float64Array {
  const dModel = weight.length;
  const y = new Float64Array(x.length);
  for (let begin = 0; begin < x.length; begin += dModel) {
    const row = x.subarray(begin, begin + dModel);
    const meanSquare = row.reduce((sum, value) => sum + value * value, 0) / dModel;
    row.forEach((value, i) => {
      y[begin + i] = (value / Math.sqrt(meanSquare + eps)) * weight[i]!;
    });
  }
  return y;
}
