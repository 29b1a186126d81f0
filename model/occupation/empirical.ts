import { closedForm, type OccupationModel, type Person } from "./occupation_model.ts";
import { countTransitions, type Counts, type TransitionCounts } from "./transition_counts.ts";

/**
 * Empirical transition frequencies. The paper's baseline, as printed, is
 *
 *     (n(y → y′) + 1) / (n(y) + 1)
 *
 * where `n(y)` counts the transitions out of `y`. These numbers sum to
 * `(n(y) + V) / (n(y) + 1)`, more than one, over a vocabulary of `V` occupations: they
 * are the raw scores of this model. Divided by that sum they become add-one estimates,
 *
 *     (n(y → y′) + 1) / (n(y) + V)
 *
 * the model's distribution. First observations use the frequencies of first
 * occupations in the same way.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}
 *
 * @param people Training people.
 * @param numOccupations Size of the occupation vocabulary.
 * @returns The model.
 * @throws {RangeError} If an occupation is not in the vocabulary.
 */
export function transitionFrequencies(
  people: readonly Person[],
  numOccupations: number,
): OccupationModel {
  const table = countTransitions(people, numOccupations);
  return closedForm({
    name: "transition frequencies",
    numOccupations,
    distribution: (person, index) => {
      const { counts, total } = countsBefore(table, person, index);
      return counts.map((count) => (count + 1) / (total + numOccupations));
    },
    rawProbability: (person, index) => {
      const { counts, total } = countsBefore(table, person, index);
      return (counts[person.occupations[index]!]! + 1) / (total + 1);
    },
  });
}

/**
 * Frequencies of occupations whatever came before, with the absolute discounting of
 * {@linkcode backOff} towards the uniform distribution.
 *
 * @param people Training people.
 * @param numOccupations Size of the occupation vocabulary.
 * @returns The model.
 * @throws {RangeError} If an occupation is not in the vocabulary.
 */
export function unigram(people: readonly Person[], numOccupations: number): OccupationModel {
  const table = countTransitions(people, numOccupations);
  const probabilities = discounted(table.any, uniform(numOccupations), DISCOUNT);
  return closedForm({
    name: "unigram",
    numOccupations,
    distribution: () => probabilities.slice(),
  });
}

/** Options for {@linkcode backOff}. */
export interface BackOffOptions {
  /**
   * Taken off each count that is not zero, between 0 and 1.
   *
   * @default {0.75}
   */
  readonly discount?: number;
  /**
   * What an occupation's discounted mass falls back on: how often each occupation was
   * seen (`"frequencies"`), or how many different ones it followed
   * (`"continuations"`, which is interpolated Kneser-Ney smoothing and stronger).
   *
   * @default {"frequencies"}
   */
  readonly lower?: "frequencies" | "continuations";
}

/** Customary for language models since Chen and Goodman; not tuned on any career. */
const DISCOUNT = 0.75;

/**
 * First-order transition frequencies that back off by interpolated absolute discounting,
 *
 *     P(y′ | y) = (max(n(y → y′) − D, 0) + D · k(y) · P(y′)) / n(y)
 *
 * where `k(y)` is the number of different occupations that followed `y`, and `P(y′)` is
 * estimated in the same way with the uniform distribution below it. An occupation that
 * nothing followed uses `P(y′)`. First observations use the frequencies of first
 * occupations above the same `P(y′)`.
 *
 * @see {@link https://doi.org/10.1006/csla.1999.0128 | Chen & Goodman, 1999}
 *
 * @param people Training people.
 * @param numOccupations Size of the occupation vocabulary.
 * @param options The discount and the lower distribution.
 * @returns The model.
 * @throws {RangeError} If an occupation is not in the vocabulary or the discount is not
 * between 0 and 1.
 */
export function backOff(
  people: readonly Person[],
  numOccupations: number,
  options: BackOffOptions = {},
): OccupationModel {
  const { discount = DISCOUNT, lower = "frequencies" } = options;
  if (!(discount >= 0 && discount <= 1)) {
    throw new RangeError(`Cannot back off: the discount must be between 0 and 1, got ${discount}`);
  }
  const table = countTransitions(people, numOccupations);
  const flat = uniform(numOccupations);
  const any = discounted(table.any, flat, discount);
  const below = lower === "frequencies" ? any : discounted(table.continuations, flat, discount);
  const first = discounted(table.first, any, discount);
  const after = table.after.map((counts) => discounted(counts, below, discount));
  return closedForm({
    name: lower === "frequencies" ? "first-order back-off" : "first-order Kneser-Ney",
    numOccupations,
    distribution: ({ occupations }, index) =>
      (index === 0 ? first : after[occupations[index - 1]!]!).slice(),
  });
}

function countsBefore(table: TransitionCounts, { occupations }: Person, index: number): Counts {
  return index === 0 ? table.first : table.after[occupations[index - 1]!]!;
}

function discounted(
  { counts, total, numKinds }: Counts,
  lower: Float64Array,
  discount: number,
): Float64Array {
  if (total === 0) return lower;
  const freed = discount * numKinds;
  return counts.map((count, y) => (Math.max(count - discount, 0) + freed * lower[y]!) / total);
}

function uniform(size: number): Float64Array {
  return new Float64Array(size).fill(1 / size);
}
