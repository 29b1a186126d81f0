import type { Observation } from "../../../data/career.ts";
import { OCCUPATIONS, occupationIndex } from "../../../data/occupations.ts";

/** Years that follow each other in one occupation. */
export interface Stretch {
  readonly code: string;
  readonly title: string;
  readonly from: number;
  readonly to: number;
}

/** Years as stretches; years that are not told end one only where the occupation changes. */
export function stretchesOf(observations: readonly Observation[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { year, occupation } of observations) {
    const last = stretches.at(-1);
    if (last?.code === occupation) {
      stretches[stretches.length - 1] = { ...last, to: year };
    } else {
      const { title } = OCCUPATIONS[occupationIndex(occupation)]!;
      stretches.push({ code: occupation, title, from: year, to: year });
    }
  }
  return stretches;
}

/** `"2004–2007"`, or `"2004"`. */
export function yearsOf({ from, to }: Stretch): string {
  return from === to ? String(from) : `${from}–${to}`;
}

/** Where people are in a year, over many futures. */
export interface YearSummary {
  readonly year: number;
  /** Most frequent first; equally frequent ones in the order of the vocabulary. */
  readonly counts: readonly {
    readonly code: string;
    readonly title: string;
    readonly count: number;
  }[];
}

/** Counts occupations over futures, year by year. Futures have the same years. */
export function summarize(futures: readonly (readonly Observation[])[]): YearSummary[] {
  const years = futures[0] ?? [];
  return years.map(({ year }, i) => {
    const counts = new Map<string, number>();
    for (const future of futures) {
      const code = future[i]?.occupation;
      if (code !== undefined) counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    return {
      year,
      counts: [...counts]
        .map(([code, count]) => ({ code, count, title: OCCUPATIONS[occupationIndex(code)]!.title }))
        .toSorted((a, b) => b.count - a.count || occupationIndex(a.code) - occupationIndex(b.code)),
    };
  });
}

/** In how many futures the occupation never changes from `code`. */
export function countOfStayers(futures: readonly (readonly Observation[])[], code: string): number {
  return futures.filter((future) => future.every(({ occupation }) => occupation === code)).length;
}
