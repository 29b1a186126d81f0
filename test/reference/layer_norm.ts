/** LayerNorm over the last axis in float64, written for clarity, not speed. */
export function layerNormReference(
  { x, weight, bias }: { x: Float64Array; weight: Float64Array; bias?: Float64Array },
  eps: number,
): Float64Array {
  const dModel = weight.length;
  const y = new Float64Array(x.length);
  for (let begin = 0; begin < x.length; begin += dModel) {
    const row = x.subarray(begin, begin + dModel);
    const mean = row.reduce((sum, value) => sum + value, 0) / dModel;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / dModel;
    row.forEach((value, i) => {
      y[begin + i] = ((value - mean) / Math.sqrt(variance + eps)) * weight[i]! + (bias?.[i] ?? 0);
    });
  }
  return y;
}
