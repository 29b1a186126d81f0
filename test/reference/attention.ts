/** Sizes and masks of {@linkcode attentionReference}. */
export interface AttentionCase {
  numRows: number;
  seqLen: number;
  numHeads: number;
  numKvHeads: number;
  headDim: number;
  /** `visible(row, t, s)`: whether query t sees key s. */
  visible: (row: number, t: number, s: number) => boolean;
}

/** Masked softmax attention in float64, with the whole matrix of scores. */
export function attentionReference(
  { q, k, v }: { q: Float64Array; k: Float64Array; v: Float64Array },
  { numRows, seqLen, numHeads, numKvHeads, headDim, visible }: AttentionCase,
): Float64Array {
  const y = new Float64Array(q.length);
  for (let row = 0; row < numRows; row++) {
    for (let h = 0; h < numHeads; h++) {
      const kvHead = Math.floor((h * numKvHeads) / numHeads);
      const kvAt = (s: number) => ((row * seqLen + s) * numKvHeads + kvHead) * headDim;
      for (let t = 0; t < seqLen; t++) {
        const qAt = ((row * seqLen + t) * numHeads + h) * headDim;
        const keys = Array.from({ length: seqLen }, (_, s) => s).filter((s) => visible(row, t, s));
        const scores = keys.map((s) => {
          let dot = 0;
          for (let i = 0; i < headDim; i++) dot += q[qAt + i]! * k[kvAt(s) + i]!;
          return dot / Math.sqrt(headDim);
        });
        const top = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - top));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        keys.forEach((s, j) => {
          for (let i = 0; i < headDim; i++) y[qAt + i]! += (weights[j]! / total) * v[kvAt(s) + i]!;
        });
      }
    }
  }
  return y;
}
