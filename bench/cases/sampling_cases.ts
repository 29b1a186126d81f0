import { sampleTokens, type SamplerSettings, SamplerState } from "../../engine/ops/sampling.ts";
import type { CaseResult, KernelCase, Scale } from "./kernel_case.ts";
import { LLAMA_3_2_1B, type ModelShape, SMOLLM2_135M, STORIES_260K } from "./models.ts";

const MAX_VOCAB = { small: 16_384, full: Infinity } as const;

/** Rows that draw among the most probable tokens; the last row takes the most probable one. */
const DRAWN: SamplerSettings = { temperature: 0.9, topK: 50, topP: 0.95, seed: 7 };
const GREEDY: SamplerSettings = { temperature: 0 };

/** One token for every row of logits: one text, and several at once. */
export function samplingCases(scale: Scale): KernelCase[] {
  return [STORIES_260K, SMOLLM2_135M, LLAMA_3_2_1B].flatMap((model) =>
    [1, 8].map((numRows) => samplingCase(model, numRows, MAX_VOCAB[scale])),
  );
}

function samplingCase({ name, config }: ModelShape, numRows: number, maxVocab: number): KernelCase {
  const vocabSize = Math.min(config.vocabSize, maxVocab);
  return {
    id: `sampling f32 ${name} ${numRows}x${vocabSize}`,
    group: "sampling",
    shape: `[${numRows}, ${vocabSize}]`,
    dtype: "f32",
    needsFloat16: false,
    isQuick: name.startsWith("SmolLM2"),
    flops: 4 * numRows * vocabSize,
    bytes: 4 * numRows * vocabSize,
    record: (tape, make) => {
      const logits = make.tensor("logits", [numRows, vocabSize], { scale: 6 });
      const state = make.own(new SamplerState(make.gpu, { numRows, vocabSize, capacity: 1 }));
      for (let row = 0; row < numRows; row++) {
        state.configure(row, row === numRows - 1 && numRows > 1 ? GREEDY : DRAWN);
      }
      const { tokens, logProbabilities } = sampleTokens(tape, { logits: logits.tensor, state });
      const rowOf = (row: number) => logits.values.subarray(row * vocabSize, (row + 1) * vocabSize);
      // Tokens are checked before their log-probabilities: these are of the tokens found.
      const found = new Map<number, number>();
      return [
        {
          name: "tokens",
          tensor: tokens,
          numSamples: numRows,
          expected: (row, token) => {
            found.set(row, token);
            const most = row === numRows - 1 && numRows > 1 ? 1 : DRAWN.topK!;
            return { value: isAmong(rowOf(row), token, most) ? token : NaN, magnitude: 0 };
          },
        },
        {
          name: "log-probabilities",
          tensor: logProbabilities,
          numSamples: numRows,
          expected: (row) => ({
            value: logProbability(rowOf(row), found.get(row)!),
            magnitude: 10,
          }),
        },
      ] satisfies CaseResult[];
    },
  };
}

/** Whether fewer than `most` tokens are more probable than one. */
function isAmong(logits: Float32Array, token: number, most: number): boolean {
  if (!(token < logits.length)) return false;
  let numAbove = 0;
  for (const logit of logits) if (logit > logits[token]!) numAbove += 1;
  return numAbove < most;
}

function logProbability(logits: Float32Array, token: number): number {
  const top = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
  return logits[token]! - top - Math.log(total);
}
