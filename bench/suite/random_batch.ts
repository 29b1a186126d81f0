import type { Batch } from "../../data/batch.ts";
import { uniform } from "../cases/case_tensors.ts";

/** Random tokens, the same in every run, each row one document that predicts its next token. */
export function randomBatch(
  vocabSize: number,
  { numRows, seqLen }: Pick<Batch, "numRows" | "seqLen">,
): Batch {
  const draw = uniform(vocabSize);
  const numTokens = numRows * seqLen;
  const tokens = Uint32Array.from({ length: numTokens }, () =>
    Math.min(vocabSize - 1, Math.floor(((draw() + 1) / 2) * vocabSize)),
  );
  return {
    label: "random tokens",
    numRows,
    seqLen,
    tokens,
    targets: tokens.map((_, i) => tokens[(i + 1) % numTokens]!),
    weights: new Float32Array(numTokens).fill(1),
    positions: tokens.map((_, i) => i % seqLen),
    starts: new Uint32Array(numTokens),
    ends: new Uint32Array(numTokens).fill(seqLen),
  };
}
