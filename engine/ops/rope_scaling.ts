/** How rotary frequencies change so that a model reads further than it was first trained to. */
export type RopeScaling = LinearScaling | Llama3Scaling | YarnScaling;

/**
 * Positions are squeezed by `factor`.
 *
 * @see {@link https://arxiv.org/abs/2306.15595 | Chen et al., "Position Interpolation", 2023}
 */
export interface LinearScaling {
  readonly type: "linear";
  readonly factor: number;
}

/**
 * Slow frequencies are divided by `factor`, fast ones stay, those between are mixed. How fast is
 * counted in turns over the first context: below `lowFreqFactor` is slow, above `highFreqFactor` fast.
 *
 * @see {@link https://arxiv.org/abs/2407.21783 | "The Llama 3 Herd of Models", 2024}
 */
export interface Llama3Scaling {
  readonly type: "llama3";
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  /** Context that the model was first trained with. */
  readonly originalMaxSeqLen: number;
}

/**
 * As {@linkcode Llama3Scaling}, mixed along a ramp over the pairs of a head: from the pair that
 * turns `betaFast` times in the first context, which stays, to the one that turns `betaSlow` times.
 *
 * @see {@link https://arxiv.org/abs/2309.00071 | Peng et al., "YaRN", 2023}, section 3.2
 */
export interface YarnScaling {
  readonly type: "yarn";
  readonly factor: number;
  readonly originalMaxSeqLen: number;
  readonly betaFast: number;
  readonly betaSlow: number;
  /** Multiplies cosines and sines. */
  readonly attentionFactor: number;
}

/** What decides the angles of a head's pairs. */
export interface RotaryFrequencyOptions {
  /** Width of one head; even. */
  readonly headDim: number;
  /** Base of the frequencies. */
  readonly theta: number;
  readonly scaling: RopeScaling | null;
}

/**
 * Radians that each pair of a head turns from one position to the next, in float64.
 *
 *     none    f[i] = θ^(−2i/headDim)                       i < headDim/2
 *     linear  f[i] / factor
 *     llama3  f[i] · mix(1 / factor, 1, (turns[i] − low) / (high − low))
 *     yarn    f[i] · mix(1, 1 / factor, (i − first) / (last − first))
 *
 *     turns[i] = f[i] · originalMaxSeqLen / 2π             mix's last argument clamped to [0, 1]
 *     first, last: i where turns[i] = betaFast, betaSlow, rounded outward and kept in [0, headDim)
 *
 * @returns One frequency a pair.
 */
export function rotaryFrequencies({
  headDim,
  theta,
  scaling,
}: RotaryFrequencyOptions): Float64Array<ArrayBuffer> {
  const plain = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));
  switch (scaling?.type) {
    case undefined:
      return plain;
    case "linear":
      return plain.map((frequency) => frequency / scaling.factor);
    case "llama3":
      return plain.map((frequency) => frequency * llama3Scale(frequency, scaling));
    case "yarn": {
      const scale = yarnScale({ headDim, theta }, scaling);
      return plain.map((frequency, i) => frequency * scale(i));
    }
  }
}

/** By what Llama 3's scaling multiplies a frequency, in radians from one position to the next. */
export function llama3Scale(
  frequency: number,
  { factor, lowFreqFactor, highFreqFactor, originalMaxSeqLen }: Llama3Scaling,
): number {
  const turns = (frequency * originalMaxSeqLen) / (2 * Math.PI);
  return mix(1 / factor, 1, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor));
}

/** By what YaRN multiplies cosines and sines unless told otherwise: `0.1 · ln(factor) + 1`. */
export function yarnAttentionFactor(factor: number): number {
  return factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
}

function yarnScale(
  { headDim, theta }: Pick<RotaryFrequencyOptions, "headDim" | "theta">,
  { factor, originalMaxSeqLen, betaFast, betaSlow }: YarnScaling,
): (i: number) => number {
  const pairThatTurns = (times: number) =>
    (headDim * Math.log(originalMaxSeqLen / (2 * Math.PI * times))) / (2 * Math.log(theta));
  const first = Math.max(0, Math.floor(pairThatTurns(betaFast)));
  const last = Math.min(headDim - 1, Math.ceil(pairThatTurns(betaSlow)));
  // A ramp of no width is a step.
  const width = last === first ? 0.001 : last - first;
  return (i) => mix(1, 1 / factor, (i - first) / width);
}

/** From `a` at 0 to `b` at 1, and no further. */
function mix(a: number, b: number, at: number): number {
  const share = Math.min(1, Math.max(0, at));
  return a * (1 - share) + b * share;
}
