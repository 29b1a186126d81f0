import { deviation } from "../evaluation/resampling.ts";
import type { SampledPerson } from "./sample_paths.ts";

/** How sampled careers fared in one year. */
export interface ForecastOfYear {
  readonly year: number;
  readonly numPeople: number;
  /** exp of the mean of −log((paths with the true occupation + 1) / (paths + occupations)). */
  readonly perplexity: number;
  /** Standard error of the perplexity over people, by the delta method; absent of one person. */
  readonly error?: number;
  /** Area under the curve of being in a status, by the share of paths in it; absent where all or none are. */
  readonly auc: Readonly<Record<string, number>>;
  /** Share of people in a status: by the paths, and in truth. */
  readonly shares: Readonly<Record<string, { readonly predicted: number; readonly true: number }>>;
}

/** Options of {@linkcode judgePaths}. */
export interface JudgeOptions {
  /** Code of each occupation, in the order of the vocabulary. */
  readonly codes: readonly string[];
  /** Codes of the occupations whose shares and discrimination are measured. */
  readonly statuses: readonly string[];
}

/** What the paths say of one person in one year. */
interface Forecast {
  readonly counts: Uint32Array;
  readonly numPaths: number;
  /** Index of the true occupation. */
  readonly truth: number;
}

/**
 * Compares sampled careers with what came to be, year by year.
 *
 *     perplexity = exp(−mean log((n(true) + 1) / (N + V)))     N paths, V occupations
 *
 * so that an occupation on no path costs much but not everything.
 *
 * @see {@link https://arxiv.org/abs/2202.08370 | Vafa et al., "CAREER", 2022}, on forecasts
 *
 * @returns Years in ascending order.
 */
export function judgePaths(
  people: readonly SampledPerson[],
  { codes, statuses }: JudgeOptions,
): ForecastOfYear[] {
  const byYear = new Map<number, Forecast[]>();
  for (const { career, begin, counts } of people) {
    counts.forEach((own, step) => {
      const { year, occupation } = career.observations[begin + step]!;
      const numPaths = own.reduce((sum, count) => sum + count, 0);
      const forecast = { counts: own, numPaths, truth: codes.indexOf(occupation) };
      const others = byYear.get(year);
      if (others === undefined) byYear.set(year, [forecast]);
      else others.push(forecast);
    });
  }
  return [...byYear]
    .toSorted(([a], [b]) => a - b)
    .map(([year, forecasts]) => {
      const measured = statuses.map(
        (status) => [status, judgeStatus(forecasts, codes.indexOf(status))] as const,
      );
      return {
        year,
        numPeople: forecasts.length,
        ...perplexityOf(forecasts),
        auc: Object.fromEntries(
          measured.flatMap(([status, { auc }]) => (Number.isNaN(auc) ? [] : [[status, auc]])),
        ),
        shares: Object.fromEntries(
          measured.map(([status, { predicted, truly }]) => [status, { predicted, true: truly }]),
        ),
      };
    });
}

function perplexityOf(
  forecasts: readonly Forecast[],
): Pick<ForecastOfYear, "perplexity" | "error"> {
  const surprises = forecasts.map(
    ({ counts, numPaths, truth }) => -Math.log((counts[truth]! + 1) / (numPaths + counts.length)),
  );
  const { length } = surprises;
  const perplexity = Math.exp(surprises.reduce((sum, each) => sum + each, 0) / length);
  if (length < 2) return { perplexity };
  return { perplexity, error: (perplexity * deviation(surprises)) / Math.sqrt(length) };
}

function judgeStatus(
  forecasts: readonly Forecast[],
  status: number,
): { readonly auc: number; readonly predicted: number; readonly truly: number } {
  const shares = forecasts.map(({ counts, numPaths }) => counts[status]! / numPaths);
  const isTrue = forecasts.map(({ truth }) => truth === status);
  const mean = (sum: number) => sum / forecasts.length;
  return {
    auc: areaUnderCurve(shares, isTrue),
    predicted: mean(shares.reduce((sum, share) => sum + share, 0)),
    truly: mean(isTrue.filter(Boolean).length),
  };
}

/** Probability that one of those in a status has a higher score than one of the others, ties by half. */
function areaUnderCurve(scores: readonly number[], isTrue: readonly boolean[]): number {
  const order = Array.from(scores.keys()).toSorted((a, b) => scores[a]! - scores[b]!);
  const numTrue = isTrue.filter(Boolean).length;
  const numFalse = isTrue.length - numTrue;
  let [below, wins] = [0, 0];
  for (let first = 0; first < order.length;) {
    let end = first;
    while (end < order.length && scores[order[end]!] === scores[order[first]!]) end += 1;
    const own = order.slice(first, end).filter((index) => isTrue[index]).length;
    const others = end - first - own;
    wins += own * (below + others / 2);
    below += others;
    first = end;
  }
  return numTrue > 0 && numFalse > 0 ? wins / (numTrue * numFalse) : NaN;
}
