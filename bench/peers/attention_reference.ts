import { ATTENTION } from "./tasks.ts";

/** Inputs of attention, each `[seqLen, numHeads, headDim]`; `dy` is the gradient of the result. */
export interface AttentionArrays {
  readonly q: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly dy: ArrayLike<number>;
}

/** What attention gives, shaped as its inputs. */
export interface AttentionResults {
  readonly y: Float64Array;
  readonly dq: Float64Array;
  readonly dk: Float64Array;
  readonly dv: Float64Array;
}

/**
 * Causal attention and its gradients in float64.
 *
 *     p = softmax(q kᵀ / √headDim)    y = p v
 *     dv = pᵀ dy    ds = p ∘ (dy vᵀ − (dy · y))    dq = ds k / √headDim    dk = dsᵀ q / √headDim
 *
 * @param inputs Queries, keys, values and the gradient of the result.
 * @param sizes Sizes of all of them.
 */
export function attentionInFloat64(
  { q, k, v, dy }: AttentionArrays,
  { numHeads, seqLen, headDim }: { [Size in keyof typeof ATTENTION]: number } = ATTENTION,
): AttentionResults {
  const length = numHeads * seqLen * headDim;
  const [y, dq, dk, dv] = Array.from({ length: 4 }, () => new Float64Array(length));
  const results = { y: y!, dq: dq!, dk: dk!, dv: dv! };
  const scale = 1 / Math.sqrt(headDim);
  for (let h = 0; h < numHeads; h++) {
    for (let t = 0; t < seqLen; t++) {
      const at = (s: number) => (s * numHeads + h) * headDim;
      const dot = (a: ArrayLike<number>, b: ArrayLike<number>, s: number) => {
        let sum = 0;
        for (let i = 0; i < headDim; i++) sum += a[at(t) + i]! * b[at(s) + i]!;
        return sum;
      };
      const scores = Float64Array.from({ length: t + 1 }, (_, s) => scale * dot(q, k, s));
      const top = scores.reduce((a, b) => Math.max(a, b));
      const shares = scores.map((score) => Math.exp(score - top));
      const total = shares.reduce((a, b) => a + b);
      for (let s = 0; s <= t; s++) {
        for (let i = 0; i < headDim; i++) {
          results.y[at(t) + i]! += (shares[s]! / total) * v[at(s) + i]!;
        }
      }
      const mean = dot(dy, results.y, t);
      for (let s = 0; s <= t; s++) {
        const p = shares[s]! / total;
        const ds = scale * p * (dot(dy, v, s) - mean);
        for (let i = 0; i < headDim; i++) {
          results.dv[at(s) + i]! += p * dy[at(t) + i]!;
          results.dq[at(t) + i]! += ds * k[at(s) + i]!;
          results.dk[at(s) + i]! += ds * q[at(t) + i]!;
        }
      }
    }
  }
  return results;
}
