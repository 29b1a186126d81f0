import type { EncodedResume } from "../../data/batch.ts";
import type { Career } from "../../data/career.ts";

/** One person as the occupation models see them. */
export interface Person {
  /** What is known of the person: demographics, years, education. */
  readonly career: Career;
  /** Index of each observation's occupation in the vocabulary, `[numObservations]`. */
  readonly occupations: readonly number[];
  /** The career as tokens, for models that read text. */
  readonly resume?: EncodedResume;
  /**
   * First observation that is asked about; those before it are only told. A model to which a score
   * is dear leaves theirs NaN, and `rank` 0. @default {0}
   */
  readonly askedFrom?: number;
}

/** Whose occupation to predict, and at which observation: see {@linkcode OccupationModel.distribution}. */
export interface OccupationQuestion {
  readonly person: Person;
  readonly index: number;
}

/** What a model thought of each occupation that a person really had. */
export interface Score {
  /**
   * Natural logarithm of the probability as the paper defines it, `[numObservations]`.
   * It may come from numbers that do not sum to one over the vocabulary.
   */
  readonly raw: Float64Array;
  /** The same from a distribution over the vocabulary, `[numObservations]`. */
  readonly normalized: Float64Array;
  /**
   * Probability, by the same distribution, of the occupation of the observation before: of
   * staying, `[numObservations]`; NaN at the first.
   */
  readonly stay: Float64Array;
  /** Number of occupations that are more probable than the true one, `[numObservations]`. */
  readonly rank: Uint16Array;
}

/**
 * A probability for every possible next occupation of a person.
 *
 * Every model, from counts to language models, stands behind this interface, so that
 * one table and one plot work for all. The probability of observation `i` depends on
 * the person's demographics, on the observations before `i`, and on the year and the
 * education of `i`, never on what follows.
 */
export interface OccupationModel {
  /** Names the model in tables. */
  readonly name: string;
  /** Size of the occupation vocabulary. */
  readonly numOccupations: number;
  /**
   * Scores all observations of people, in the order given. A stream, so that a slow
   * model can batch people and a caller can show progress.
   */
  score(people: readonly Person[]): AsyncIterable<Score>;
  /**
   * Distribution over the vocabulary of the occupation at an observation. The
   * occupation recorded there is not read: to predict a future year, append an
   * observation with any occupation.
   *
   * @param person Whose occupation to predict.
   * @param index Which observation of the person.
   * @returns Probabilities that sum to one, `[numOccupations]`.
   */
  distribution(person: Person, index: number): Promise<Float64Array>;
  /**
   * Many distributions at once, in the order asked, where that is cheaper than one by one; a model
   * may approximate, and says how well. Ask through {@linkcode distributionsOf}.
   */
  distributions?(questions: readonly OccupationQuestion[]): Promise<readonly Float64Array[]>;
}

/** Distributions of any model, at once where it can: `[numOccupations]` for each question. */
export async function distributionsOf(
  model: OccupationModel,
  questions: readonly OccupationQuestion[],
): Promise<readonly Float64Array[]> {
  if (model.distributions !== undefined) return model.distributions(questions);
  const answers: Float64Array[] = [];
  for (const { person, index } of questions) answers.push(await model.distribution(person, index));
  return answers;
}

/** A model that computes a whole distribution at once and without a device. */
export interface ClosedFormModel {
  readonly name: string;
  readonly numOccupations: number;
  /** As {@linkcode OccupationModel.distribution}. */
  readonly distribution: (person: Person, index: number) => Float64Array;
  /** Probability of the occupation at `index` as the paper defines it, where that differs. */
  readonly rawProbability?: (person: Person, index: number) => number;
}

/**
 * An occupation model from a function that computes distributions, such as a table of
 * counts or a process whose probabilities are known.
 *
 * @param model Its name, the size of the vocabulary and its distributions.
 * @returns The model behind the common interface.
 *
 * @example The true process behind synthetic careers
 * ```ts ignore
 * const truth = closedForm({
 *   name: "true process",
 *   numOccupations: OCCUPATIONS.length,
 *   distribution: ({ career }, index) => process.distributionAt(career, index),
 * });
 * ```
 */
export function closedForm(model: ClosedFormModel): OccupationModel {
  const { name, numOccupations, distribution, rawProbability } = model;
  return {
    name,
    numOccupations,
    async *score(people) {
      for (const person of people) {
        const { askedFrom = 0 } = person;
        const distributionAt = (index: number) => distribution(person, index);
        const { normalized, stay, rank } = scoreOf(person.occupations, distributionAt, askedFrom);
        const raw = rawProbability
          ? Float64Array.from(person.occupations, (_, index) =>
              index < askedFrom ? NaN : Math.log(rawProbability(person, index)),
            )
          : normalized;
        yield { raw, normalized, stay, rank };
      }
    },
    async distribution(person, index) {
      return distribution(person, index);
    },
  };
}

/**
 * Judges a person's true occupations by a model's distributions.
 *
 * @param occupations Index of each observation's occupation, `[numObservations]`.
 * @param distributionAt Probabilities at an observation, `[numOccupations]`, which sum to one.
 * @param askedFrom First observation to judge: see `Person`.
 */
export function scoreOf(
  occupations: readonly number[],
  distributionAt: (index: number) => ArrayLike<number>,
  askedFrom = 0,
): Omit<Score, "raw"> {
  const { length } = occupations;
  const normalized = new Float64Array(length).fill(NaN);
  const stay = new Float64Array(length).fill(NaN);
  const rank = new Uint16Array(length);
  occupations.forEach((occupation, index) => {
    if (index < askedFrom) return;
    const probabilities = distributionAt(index);
    const own = probabilities[occupation] ?? 0;
    normalized[index] = Math.log(own);
    if (index > 0) stay[index] = probabilities[occupations[index - 1]!] ?? 0;
    for (let i = 0; i < probabilities.length; i++) if (probabilities[i]! > own) rank[index]! += 1;
  });
  return { normalized, stay, rank };
}
