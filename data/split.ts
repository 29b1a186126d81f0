import type { Career } from "./career.ts";
import { hash32 } from "./random.ts";

/** Shares of the people, each in [0, 1], together 1. */
export interface SplitFractions {
  readonly train: number;
  readonly valid: number;
  readonly test: number;
}

/** How to split people. */
export interface SplitOptions {
  /** Any integer; another seed gives another split. */
  readonly seed: number;
  /**
   * Shares of the people.
   *
   * @default {{ train: 0.7, valid: 0.1, test: 0.2 }}
   */
  readonly fractions?: SplitFractions;
}

/** People to learn from, to choose by, and to judge by: nobody is in two of them. */
export interface CareerSplit {
  readonly train: readonly Career[];
  readonly valid: readonly Career[];
  readonly test: readonly Career[];
}

/** Shares of LABOR-LLM. */
const PAPER_FRACTIONS: SplitFractions = { train: 0.7, valid: 0.1, test: 0.2 };

/** Rounding errors of three added fractions stay far below this. */
const SUM_TOLERANCE = 1e-9;

/**
 * Splits people, not person-years, into train, valid and test.
 *
 * People are ranked by a hash of (seed, id) and the ranking is cut, so that who goes where,
 * and the order within each part, depends on the ids and the seed alone, never on the order
 * of the file. Counts are exact: ⌊n · train⌋, ⌊n · valid⌋ and the rest, as the paper's.
 *
 * @throws {RangeError} If an id repeats, the seed is not an integer, or the fractions are not
 * shares of 1.
 *
 * @example
 * ```ts ignore
 * const { train, valid, test } = splitCareers(careers, { seed: 1 });
 * ```
 */
export function splitCareers(careers: Iterable<Career>, options: SplitOptions): CareerSplit {
  const { seed, fractions = PAPER_FRACTIONS } = options;
  checkOptions(seed, fractions);
  const people = [...careers].map((career) => {
    const key = `${seed}\n${career.id}`;
    return { career, high: hash32(key, 0), low: hash32(key, 1) };
  });
  people.sort((a, b) => a.high - b.high || a.low - b.low || compare(a.career.id, b.career.id));
  const ranked = people.map(({ career }) => career);
  checkDistinct(ranked);
  const numTrain = Math.floor(ranked.length * fractions.train + SUM_TOLERANCE);
  const numValid = Math.floor(ranked.length * fractions.valid + SUM_TOLERANCE);
  return {
    train: ranked.slice(0, numTrain),
    valid: ranked.slice(numTrain, numTrain + numValid),
    test: ranked.slice(numTrain + numValid),
  };
}

function checkOptions(seed: number, { train, valid, test }: SplitFractions): void {
  if (!Number.isSafeInteger(seed)) {
    throw new RangeError(`Cannot split careers: the seed must be an integer, got ${seed}`);
  }
  const shares = [train, valid, test];
  const sum = train + valid + test;
  if (!shares.every((share) => share >= 0 && share <= 1) || Math.abs(sum - 1) > SUM_TOLERANCE) {
    throw new RangeError(
      `Cannot split careers: the fractions must be at least 0 and add up to 1, ` +
        `got ${shares.join(" + ")} = ${sum}`,
    );
  }
}

/** Equal ids have equal hashes, so they stand side by side. */
function checkDistinct(ranked: readonly Career[]): void {
  for (let i = 1; i < ranked.length; i++) {
    const id = ranked[i]?.id;
    if (id === ranked[i - 1]?.id) {
      throw new RangeError(
        `Cannot split careers: every id must occur once, got ${JSON.stringify(id)} twice ` +
          `(prefix the ids with the name of their survey when you pool surveys)`,
      );
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
