import { lossMeasure, perplexityMeasure } from "../../../model/evaluation/measures.ts";
import type { Predictions } from "../../../model/evaluation/predictions.ts";
import { type Bootstrapped, standardErrorOf } from "../../../model/evaluation/resampling.ts";
import { type Analysis, answerOf } from "./analysis.ts";

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

/** What results say of a claim. */
export type Verdict = "holds" | "does not hold" | "undecided" | "not measured";

/** A claim, judged on one population. */
export interface JudgedClaim {
  readonly spec: ClaimSpec;
  readonly verdict: Verdict;
  /** Labels of the models as compared. */
  readonly better: string;
  readonly worse: string;
  /** What it was judged on; absent where it was not measured. */
  readonly evidence?: Evidence;
}

/** Predictions of both models on the people of both. */
export interface Evidence {
  readonly population: string;
  readonly better: Predictions;
  readonly worse: Predictions;
  /** Perplexity of the worse model minus that of the better one. */
  readonly difference: Bootstrapped;
  /** The same of the mean negative log-likelihood, in nats: what the verdict is of. */
  readonly loss: Bootstrapped;
}

/** Standard errors to either side of a 95 % interval. */
const HALF_INTERVAL = 1.96;

/**
 * Judges claims by paired differences of the logarithm of normalized perplexity over all
 * observations. A claim holds if the model that is said to be worse has the higher one by at least
 * 1.96 standard errors of the difference, and does not hold if it has the lower one by as much. The
 * logarithm has the sign of perplexities, and an error that a few unlikely years do not swamp.
 *
 * @returns One entry a claim and population, claims in order; one for a claim that was not measured.
 */
export function judgeClaims(analysis: Analysis, claims: readonly ClaimSpec[]): JudgedClaim[] {
  return claims.flatMap((spec): JudgedClaim[] => {
    const labels = {
      better: labelOf(analysis, spec, "better"),
      worse: labelOf(analysis, spec, "worse"),
    };
    const populations = spec.population === undefined ? analysis.populations : [spec.population];
    const judged = populations.flatMap((population): JudgedClaim[] => {
      const evidence = evidenceFor(analysis, spec, population);
      if (!evidence) return [];
      return [{ spec, ...labels, verdict: verdictOf(evidence.loss), evidence }];
    });
    return judged.length > 0 ? judged : [{ spec, ...labels, verdict: "not measured" }];
  });
}

/** What a difference, worse minus better, says of a claim. */
export function verdictOf(difference: Bootstrapped): Verdict {
  const { value } = difference;
  const isSure =
    Math.abs(value) === Infinity || Math.abs(value) >= HALF_INTERVAL * standardErrorOf(difference);
  if (!isSure || value === 0) return "undecided";
  return value > 0 ? "holds" : "does not hold";
}

function evidenceFor(
  analysis: Analysis,
  spec: ClaimSpec,
  population: string,
): Evidence | undefined {
  const better = predictionsFor(analysis, population, {
    model: spec.better,
    ...(spec.betterShare !== undefined && { share: spec.betterShare }),
  });
  const worse = predictionsFor(analysis, population, { model: spec.worse });
  if (!better || !worse) return undefined;
  const [a, b] = analysis.pair(worse, better);
  const difference = analysis.difference(a, b, perplexityMeasure());
  const loss = analysis.difference(a, b, lossMeasure());
  return difference && loss && { population, better: b, worse: a, difference, loss };
}

function predictionsFor(
  analysis: Analysis,
  population: string,
  { model, share }: { readonly model: string; readonly share?: number },
): Predictions | undefined {
  if (share === undefined) {
    return analysis.judged(population).find(({ run }) => run.model === model)?.predictions;
  }
  const run = analysis.results.runs.find(
    ({ model: name, population: of, refit }) =>
      name === model && of === population && refit?.kind === "mixed" && refit.share === share,
  );
  return run && answerOf(run, population);
}

function labelOf(analysis: Analysis, spec: ClaimSpec, role: "better" | "worse"): string {
  const model = spec[role];
  const isKnown = analysis.results.runs.some((run) => run.model === model);
  const label = isKnown ? analysis.labelOf({ model }) : model;
  if (role === "worse" || spec.betterShare === undefined) return label;
  return `${label}, with ${Math.round(100 * spec.betterShare)} % of the others' people`;
}
