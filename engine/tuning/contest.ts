/** How a {@linkcode contest} is decided. */
export interface ContestOptions {
  /** Measurements of each of the last few. @default {5} */
  readonly rounds?: number;
  /** Share of the default's time that a winner must save at least. @default {0.03} */
  readonly margin?: number;
}

/** What a {@linkcode contest} found. */
export interface ContestOutcome {
  /** Index of the winner; undefined if nothing could be measured. */
  readonly winner: number | undefined;
  /** Times of each entrant in ms, in the order of measuring; none if it dropped out. */
  readonly times: readonly (readonly number[])[];
}

/** A stage keeps this share of its entrants, but at least so many, and the default. */
const KEPT_SHARE = 0.25;
const LEAST_KEPT = 3;

/** Measurements of those that are left after the first stage, before the last. */
const MIDDLE_ROUNDS = 2;

/** A winner must be ahead by so many times the noise of both. */
const NOISE_FACTOR = 2;

/**
 * Finds the fastest of several ways by successive halving: one measurement of each, then more of
 * the best few, in turns, so that a slow minute of the machine meets all of them alike. The first
 * entrant is the default: another must be clearly faster, beyond the margin and the noise of both.
 *
 * @param numEntrants How many there are, at least one.
 * @param time Measures one of them, in ms; undefined where it drops out.
 * @see {@link https://proceedings.mlr.press/v28/karnin13.html | Karnin et al., 2013}
 */
export async function contest(
  numEntrants: number,
  time: (entrant: number) => Promise<number | undefined>,
  { rounds = 5, margin = 0.03 }: ContestOptions = {},
): Promise<ContestOutcome> {
  const times: number[][] = Array.from({ length: numEntrants }, () => []);
  let alive = times.map((_, entrant) => entrant);
  for (const numRounds of stages(numEntrants, rounds)) {
    alive = bestOf(times, alive);
    for (let round = 0; round < numRounds; round++) {
      for (const entrant of alive) {
        const ms = await time(entrant);
        if (ms === undefined) times[entrant] = [];
        else times[entrant]!.push(ms);
      }
      alive = alive.filter((entrant) => times[entrant]!.length > 0);
    }
  }
  const [best] = alive.toSorted((one, other) => middle(times[one]!) - middle(times[other]!));
  const isClear =
    best !== undefined && (alive[0] !== 0 || isFaster(times[best]!, times[0]!, margin));
  return { winner: isClear ? best : alive[0], times };
}

/** Measurements that a contest takes if nobody drops out. */
export function countMeasurements(numEntrants: number, rounds = 5): number {
  let alive = numEntrants;
  return stages(numEntrants, rounds).reduce((sum, numRounds, stage) => {
    if (stage > 0) alive = Math.min(alive, numKept(alive) + 1);
    return sum + numRounds * alive;
  }, 0);
}

/** Rounds of each stage: alone, the default needs one, so that its time is known. */
function stages(numEntrants: number, rounds: number): readonly number[] {
  if (numEntrants === 1) return [1];
  return numEntrants > LEAST_KEPT + 1 ? [1, MIDDLE_ROUNDS, rounds] : [1, rounds];
}

function numKept(numAlive: number): number {
  return Math.max(LEAST_KEPT, Math.ceil(KEPT_SHARE * numAlive));
}

/** The best of those that are left, and the default, in the order of the entrants. */
function bestOf(times: readonly (readonly number[])[], alive: readonly number[]): number[] {
  if (alive.every((entrant) => times[entrant]!.length === 0)) return [...alive];
  const kept = alive
    .filter((entrant) => entrant !== 0)
    .toSorted((one, other) => middle(times[one]!) - middle(times[other]!))
    .slice(0, numKept(alive.length));
  return alive.filter((entrant) => entrant === 0 || kept.includes(entrant));
}

function isFaster(times: readonly number[], others: readonly number[], margin: number): boolean {
  const noise = NOISE_FACTOR * (noiseOf(times) + noiseOf(others));
  return middle(times) < middle(others) * (1 - Math.max(margin, noise));
}

/** Median distance from the median, as a share of it. */
function noiseOf(times: readonly number[]): number {
  const center = middle(times);
  return center > 0 ? middle(times.map((ms) => Math.abs(ms - center))) / center : 0;
}

/** Median; the lower one of the two middle values. */
export function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] ?? Infinity;
}
