/** Arguments of {@linkcode crossEntropyReference}. */
export interface CrossEntropyCase {
  x: Float64Array;
  weight: Float64Array;
  dModel: number;
  targets: ArrayLike<number>;
  weights: ArrayLike<number>;
}

/** Log-probability of every target, 0 where it is outside the vocabulary, and the weighted loss. */
export function crossEntropyReference({ x, weight, dModel, targets, weights }: CrossEntropyCase): {
  loss: number;
  logProbabilities: Float64Array;
} {
  const vocabSize = weight.length / dModel;
  const numRows = x.length / dModel;
  const logProbabilities = new Float64Array(numRows);
  let loss = 0;
  for (let m = 0; m < numRows; m++) {
    const target = targets[m]!;
    if (target >= vocabSize) continue;
    const logits = Array.from({ length: vocabSize }, (_, v) => {
      let sum = 0;
      for (let i = 0; i < dModel; i++) sum += x[m * dModel + i]! * weight[v * dModel + i]!;
      return sum;
    });
    const top = Math.max(...logits);
    const lse = top + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
    logProbabilities[m] = logits[target]! - lse;
    loss -= weights[m]! * logProbabilities[m]!;
  }
  return { loss, logProbabilities };
}
