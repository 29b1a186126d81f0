/** A claim that one model predicts better than another, as a study states it. */
export interface ClaimSpec {
  /** The claim in words: `"CAREER beats the econometric baselines"`. */
  readonly claim: string;
  /** Population to judge it on; by default each that both models were asked about. */
  readonly population?: string;
  /** Name of the model that is said to be better. */
  readonly better: string;
  /** Name of the model that is said to be worse. */
  readonly worse: string;
  /** Takes the better model's refit with this share of other populations' people. */
  readonly betterShare?: number;
}
