import type { ModelConfig } from "./config.ts";

/**
 * Floating-point operations of a forward pass per token, a multiply-add counting two.
 *
 * Matrix products and causal attention; norms and activations are left out. Backward takes twice
 * as many.
 *
 * @param config Sizes.
 * @param seqLen Tokens that attend to each other; half of them are visible on average.
 * @see {@link https://arxiv.org/abs/2001.08361 | Kaplan et al., 2020}, section 2.1
 */
export function forwardFlopsPerToken(config: ModelConfig, seqLen: number): number {
  const { dModel, dHidden, numBlocks, numHeads, numKvHeads, headDim, vocabSize, mlp } = config;
  const attention = dModel * headDim * (2 * numHeads + 2 * numKvHeads);
  const scores = numHeads * headDim * seqLen; // two products over seqLen / 2 keys
  const hidden = dModel * dHidden * (mlp === "swiGlu" ? 3 : 2);
  return 2 * (numBlocks * (attention + scores + hidden) + dModel * vocabSize);
}
