import type { Predictions } from "../../model/evaluation/predictions.ts";

/** exp of the mean negative log-probability, by hand. */
export function perplexityOf({ normalized }: Predictions): number {
  return Math.exp(-normalized.reduce((sum, value) => sum + value, 0) / normalized.length);
}
