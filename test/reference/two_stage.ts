/** Arguments of {@linkcode twoStageReference}. */
export interface TwoStageCase {
  /** `[numRows, numOccupations + 1]` */
  logits: Float64Array;
  /** Occupation before; from numOccupations up: none. */
  previous: ArrayLike<number>;
  /** From numOccupations up: ignored. */
  targets: ArrayLike<number>;
  weights: ArrayLike<number>;
}

/** CAREER's two-stage head in float64, by its definition: probabilities first, then logarithms. */
export function twoStageReference({ logits, previous, targets, weights }: TwoStageCase): {
  loss: number;
  logProbabilities: Float64Array;
  stay: Float64Array;
  rank: Float64Array;
  probabilities: Float64Array;
} {
  const numRows = targets.length;
  const width = logits.length / numRows;
  const numOccupations = width - 1;
  const logProbabilities = new Float64Array(numRows);
  const stay = new Float64Array(numRows);
  const rank = new Float64Array(numRows);
  const all: number[] = [];
  let loss = 0;
  for (let m = 0; m < numRows; m++) {
    const row = Array.from(logits.subarray(m * width, (m + 1) * width));
    const before = previous[m]!;
    if (before < numOccupations) stay[m] = 1 / (1 + Math.exp(-row[numOccupations]!));
    const moves = row.slice(0, numOccupations).map((z, v) => (v === before ? -Infinity : z));
    const top = Math.max(...moves);
    const powers = moves.map((z) => Math.exp(z - top));
    const total = powers.reduce((a, b) => a + b, 0);
    const probabilities = powers.map((power, v) =>
      v === before ? stay[m]! : (1 - stay[m]!) * (power / total),
    );
    all.push(...probabilities);
    const target = targets[m]!;
    if (target >= numOccupations) continue;
    rank[m] = probabilities.filter((p) => p > probabilities[target]!).length;
    logProbabilities[m] = Math.log(probabilities[target]!);
    loss -= weights[m]! * logProbabilities[m]!;
  }
  return { loss, logProbabilities, stay, rank, probabilities: Float64Array.from(all) };
}
