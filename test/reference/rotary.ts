import type { RopeScaling } from "../../engine/ops/rope_scaling.ts";

/** Rotary embedding in float64 by complex multiplication, written for clarity, not speed. */
export function rotaryReference(
  x: Float64Array,
  {
    positions,
    headDim,
    theta,
    layout,
    scaling = null,
  }: {
    positions: ArrayLike<number>;
    headDim: number;
    theta: number;
    layout: "half" | "interleaved";
    scaling?: RopeScaling | null;
  },
): Float64Array {
  const frequencies = scaledFrequencies({ headDim, theta, scaling });
  const amplitude = scaling?.type === "yarn" ? scaling.attentionFactor : 1;
  const y = new Float64Array(x.length);
  const rowLength = x.length / positions.length;
  for (let begin = 0; begin < x.length; begin += headDim) {
    const position = positions[Math.floor(begin / rowLength)]!;
    for (let i = 0; i < headDim / 2; i++) {
      const angle = position * frequencies[i]!;
      const re = begin + (layout === "half" ? i : 2 * i);
      const im = begin + (layout === "half" ? i + headDim / 2 : 2 * i + 1);
      y[re] = amplitude * (x[re]! * Math.cos(angle) - x[im]! * Math.sin(angle));
      y[im] = amplitude * (x[im]! * Math.cos(angle) + x[re]! * Math.sin(angle));
    }
  }
  return y;
}

/** What {@linkcode scaledFrequencies} computes with. */
export interface FrequencyOptions {
  readonly headDim: number;
  readonly theta: number;
  readonly scaling: RopeScaling | null;
}

/** Frequencies of every pair as the papers have them, by wavelengths, case by case. */
export function scaledFrequencies({ headDim, theta, scaling }: FrequencyOptions): number[] {
  const frequencies: number[] = [];
  for (let dimension = 0; dimension < headDim; dimension += 2) {
    const wavelength = 2 * Math.PI * Math.pow(theta, dimension / headDim);
    const stretched = stretch(wavelength, dimension / 2, { headDim, theta, scaling });
    frequencies.push((2 * Math.PI) / stretched);
  }
  return frequencies;
}

function stretch(
  wavelength: number,
  index: number,
  { headDim, theta, scaling }: FrequencyOptions,
): number {
  if (scaling === null) return wavelength;
  const { factor } = scaling;
  if (scaling.type === "linear") return wavelength * factor;
  if (scaling.type === "llama3") {
    const { lowFreqFactor: low, highFreqFactor: high, originalMaxSeqLen: context } = scaling;
    if (wavelength < context / high) return wavelength;
    if (wavelength > context / low) return wavelength * factor;
    const smooth = (context / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / (wavelength * factor) + smooth / wavelength);
  }
  // log base θ of a wavelength in turns of the context: where among the pairs it would lie.
  const place = (turns: number) =>
    (headDim / 2) * (Math.log(scaling.originalMaxSeqLen / turns / (2 * Math.PI)) / Math.log(theta));
  const from = Math.max(Math.floor(place(scaling.betaFast)), 0);
  let to = Math.min(Math.ceil(place(scaling.betaSlow)), headDim - 1);
  if (from === to) to += 1e-3;
  let ramp = (index - from) / (to - from);
  if (ramp < 0) ramp = 0;
  if (ramp > 1) ramp = 1;
  return 1 / (ramp / (wavelength * factor) + (1 - ramp) / wavelength);
}
