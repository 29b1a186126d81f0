import type { Person } from "./occupation_model.ts";

/** How often each of several outcomes was seen. */
export interface Counts {
  /** Times each outcome was seen, `[numOccupations]`. */
  readonly counts: Float64Array;
  /** Sum of the counts. */
  readonly total: number;
  /** Number of outcomes seen at least once. */
  readonly numKinds: number;
}

/** What the count models know of a group of people. */
export interface TransitionCounts {
  /** Size of the occupation vocabulary. */
  readonly numOccupations: number;
  /** Occupations of first observations. */
  readonly first: Counts;
  /** Occupations of all observations. */
  readonly any: Counts;
  /** Number of different occupations that each occupation was seen to follow. */
  readonly continuations: Counts;
  /** Occupations of observations that follow occupation `y`, at index `y`. */
  readonly after: readonly Counts[];
}

/**
 * Counts first occupations, occupations and transitions between neighbors.
 *
 * Two observations are neighbors whatever number of years lies between them, as surveys
 * skip years. Memory: `8 · numOccupations²` bytes.
 *
 * @param people People to count, each person-year once.
 * @param numOccupations Size of the occupation vocabulary.
 * @returns The counts.
 * @throws {RangeError} If an occupation is not in the vocabulary.
 */
export function countTransitions(
  people: readonly Person[],
  numOccupations: number,
): TransitionCounts {
  const first = new Float64Array(numOccupations);
  const any = new Float64Array(numOccupations);
  const after = Array.from({ length: numOccupations }, () => new Float64Array(numOccupations));
  for (const { career, occupations } of people) {
    for (const [index, occupation] of occupations.entries()) {
      if (!(occupation in any)) {
        throw new RangeError(
          `Cannot count career "${career.id}": occupations must be indices below ` +
            `${numOccupations}, got ${occupation} at observation ${index}`,
        );
      }
      const row = index === 0 ? first : after[occupations[index - 1]!]!;
      row[occupation]! += 1;
      any[occupation]! += 1;
    }
  }
  const continuations = Float64Array.from(
    { length: numOccupations },
    (_, occupation) => after.filter((row) => row[occupation]! > 0).length,
  );
  return {
    numOccupations,
    first: summarize(first),
    any: summarize(any),
    continuations: summarize(continuations),
    after: after.map(summarize),
  };
}

function summarize(counts: Float64Array): Counts {
  return {
    counts,
    total: counts.reduce((sum, count) => sum + count, 0),
    numKinds: counts.reduce((sum, count) => sum + (count > 0 ? 1 : 0), 0),
  };
}
