/** Rows to sample from, and the tokens that are right for them. */
import type { SamplerSettings } from "../../engine/ops/sampling.ts";
import {
  drawReference,
  penalizedReference,
  samplingReference,
  shareReference,
} from "../reference/sampling.ts";
import { uniform } from "../support.ts";
import type { Row } from "./sampling_run.ts";

// exp() of f32 is off by up to 3 + 2 · 16 ulps of 6e-8 for the logits here, sums by less.
const ROUNDING = 4e-6;
/** For log-probabilities, rounded as above. */
export const TOLERANCE = { rtol: 2e-6, atol: 5e-6 };

/** Tokens that are right for a row, given how far rounding may move each border. */
export function rightTokens({ logits, settings = {}, seen = [], step = 0 }: Row): Set<number> {
  const { temperature = 0, seed = 0, ...filters } = settings;
  const row = { ...filters, logits, seen: new Set(seen) };
  if (temperature === 0) {
    const x = penalizedReference(row);
    return new Set([x.indexOf(Math.max(...x))]);
  }
  const share = shareReference(seed, step);
  const factors = [1 - ROUNDING, 1, 1 + ROUNDING];
  const tokens = (filters.topP === undefined ? [1] : factors).flatMap((topP) =>
    (filters.minP === undefined ? [1] : factors).flatMap((minP) => {
      const probabilities = samplingReference({ ...row, temperature }, { topP, minP });
      return factors.map((factor) => drawReference(probabilities, share + factor - 1));
    }),
  );
  return new Set(tokens);
}

/** Every setting alone, all pairs of filters, all together; hot and cold. */
export const SETTINGS: readonly SamplerSettings[] = [
  {},
  { repetitionPenalty: 1.7 },
  { temperature: 1 },
  { temperature: 0.3 },
  { temperature: 5 },
  { temperature: 1, topK: 1 },
  { temperature: 2, topK: 3 },
  { temperature: 1, topP: 0.9 },
  { temperature: 3, topP: 0.5 },
  { temperature: 1, topP: 1e-9 },
  { temperature: 2, minP: 0.1 },
  { temperature: 1, minP: 1 },
  { temperature: 1, repetitionPenalty: 1.4 },
  { temperature: 1, repetitionPenalty: 0.6 },
  { temperature: 2, topK: 50, topP: 0.8 },
  { temperature: 2, topK: 30, minP: 0.05 },
  { temperature: 2, topP: 0.97, minP: 0.02 },
  { temperature: 1.3, topK: 40, topP: 0.95, minP: 0.01, repetitionPenalty: 1.1 },
  { temperature: 1, topK: 100_000 },
];

/** Logits in [−8, 8), most of them near 0. */
const logitsOf = (vocabSize: number, seed: number): Float32Array<ArrayBuffer> =>
  uniform(vocabSize, seed).map((x) => 8 * x ** 3);

/** A row for each of the settings, its seed beyond 32 bits, and each third token seen. */
export const rowsOf = (vocabSize: number, round: number): Row[] =>
  SETTINGS.map((settings, index) => ({
    logits: logitsOf(vocabSize, 1 + index + 100 * round),
    settings: { ...settings, seed: 2 ** 33 + 17 * index },
    seen: Array.from({ length: Math.ceil(vocabSize / 3) }, (_, i) => 3 * i),
    step: 7 * round,
  }));
