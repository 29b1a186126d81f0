/** Rotary embedding in float64 by complex multiplication, written for clarity, not speed. */
export function rotaryReference(
  x: Float64Array,
  {
    positions,
    headDim,
    theta,
    layout,
  }: {
    positions: ArrayLike<number>;
    headDim: number;
    theta: number;
    layout: "half" | "interleaved";
  },
): Float64Array {
  const y = new Float64Array(x.length);
  const rowLength = x.length / positions.length;
  for (let begin = 0; begin < x.length; begin += headDim) {
    const position = positions[Math.floor(begin / rowLength)]!;
    for (let i = 0; i < headDim / 2; i++) {
      const angle = position * theta ** ((-2 * i) / headDim);
      const re = begin + (layout === "half" ? i : 2 * i);
      const im = begin + (layout === "half" ? i + headDim / 2 : 2 * i + 1);
      y[re] = x[re]! * Math.cos(angle) - x[im]! * Math.sin(angle);
      y[im] = x[im]! * Math.cos(angle) + x[re]! * Math.sin(angle);
    }
  }
  return y;
}
