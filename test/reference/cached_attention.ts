/** Sizes and masks of {@linkcode cachedAttentionReference}. */
export interface CachedAttentionCase {
  readonly numRows: number;
  readonly seqLen: number;
  readonly capacity: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  /** Place of each query, `[numRows · seqLen]`; one that is no place of the cache is no query. */
  readonly places: ArrayLike<number>;
  /** First place that each query may see, `[numRows · seqLen]`. */
  readonly starts: ArrayLike<number>;
  /** End of the places whose queries see each key, `[numRows · capacity]`. */
  readonly ends: ArrayLike<number>;
}

type Heads = ArrayLike<number>;

/** Attention over a cache in float64, one query and head after another, all scores at once. */
export function cachedAttentionReference(
  { q, k, v }: { readonly q: Heads; readonly k: Heads; readonly v: Heads },
  at: CachedAttentionCase,
): Float64Array {
  const { numRows, seqLen, capacity, numHeads, numKvHeads, headDim, places, starts, ends } = at;
  const y = new Float64Array(q.length);
  for (let token = 0; token < numRows * seqLen; token++) {
    const base = Math.floor(token / seqLen) * capacity;
    const place = places[token]!;
    if (place >= capacity) continue;
    const keys = Array.from({ length: place + 1 }, (_, s) => s).filter(
      (s) => starts[token]! <= s && place < ends[base + s]!,
    );
    for (let h = 0; h < numHeads; h++) {
      const kvHead = Math.floor((h * numKvHeads) / numHeads);
      const queryAt = (token * numHeads + h) * headDim;
      const keyAt = (s: number) => ((base + s) * numKvHeads + kvHead) * headDim;
      const scores = keys.map((s) => {
        let dot = 0;
        for (let i = 0; i < headDim; i++) dot += q[queryAt + i]! * k[keyAt(s) + i]!;
        return dot / Math.sqrt(headDim);
      });
      const top = scores.reduce((a, b) => Math.max(a, b), -Infinity);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      keys.forEach((s, j) => {
        for (let i = 0; i < headDim; i++)
          y[queryAt + i]! += (weights[j]! / total) * v[keyAt(s) + i]!;
      });
    }
  }
  return y;
}
