import { dropoutReference } from "./dropout.ts";

/** A low-rank change of one matrix, in float64. */
export interface ReferenceAdapter {
  /** `[rank, dIn]` */
  readonly a: Float64Array;
  /** `[dOut, rank]` */
  readonly b: Float64Array;
  readonly scale: number;
  /** Share of the inputs that is dropped, and the place that keys it. */
  readonly dropout?: { readonly rate: number; readonly id: number };
}

/** `weight + scale · b · a`, `[dOut, dIn]`. */
export function mergedReference(
  weight: Float64Array,
  { a, b, scale }: ReferenceAdapter,
  dIn: number,
): Float64Array {
  const rank = a.length / dIn;
  return weight.map((value, at) => {
    const [row, column] = [Math.floor(at / dIn), at % dIn];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += b[row * rank + r]! * a[r * dIn + column]!;
    return value + scale * sum;
  });
}

/** `scale · (drop(x) · aᵀ) · bᵀ`, what an adapter adds to a linear's output. */
export function adapterReference(
  x: Float64Array,
  { a, b, scale, dropout }: ReferenceAdapter,
  { dIn, randomness }: { readonly dIn: number; readonly randomness: Uint32Array | undefined },
): Float64Array {
  const rank = a.length / dIn;
  const dOut = b.length / rank;
  const mask =
    randomness === undefined || dropout === undefined || dropout.rate === 0
      ? new Float64Array(x.length).fill(1)
      : dropoutReference({ length: x.length, randomness, ...dropout });
  const y = new Float64Array((x.length / dIn) * dOut);
  for (let row = 0; row < x.length / dIn; row++) {
    for (let r = 0; r < rank; r++) {
      let low = 0;
      for (let i = 0; i < dIn; i++) {
        const at = row * dIn + i;
        low += x[at]! * mask[at]! * a[r * dIn + i]!;
      }
      for (let o = 0; o < dOut; o++) y[row * dOut + o]! += scale * low * b[o * rank + r]!;
    }
  }
  return y;
}
