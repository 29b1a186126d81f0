import type { Career } from "../career.ts";
import { occupationIndex } from "../occupations.ts";
import { Random } from "../random.ts";
import { drawCareer } from "./person.ts";
import { POPULATIONS, type PopulationName } from "./population.ts";
import { OccupationProcess, type History, type Next } from "./process.ts";
import { drawStructure } from "./structure.ts";

export { POPULATION_NAMES, type PopulationName } from "./population.ts";
export type { History, Next } from "./process.ts";

/** A population of synthetic people whose true probabilities are known. */
export interface SyntheticPopulation {
  readonly name: PopulationName;
  /**
   * Draws people. Person `i` depends on the seeds and on `i` alone, so that a larger draw
   * begins with the people of a smaller one.
   *
   * @param numPeople How many.
   * @param options Seed of the people.
   * @returns Careers named `"<population>-<seed>-<i>"`.
   */
  generate(numPeople: number, options: { readonly seed: number }): Career[];
  /**
   * True distribution of the next occupation, `[NUM_OCCUPATIONS]`.
   *
   * @param history The person and the observations so far, possibly none.
   * @param next Year and education of the next observation.
   * @throws {RangeError} If the last occupation is none of the process.
   */
  distribution(history: History, next: Next): Float64Array;
  /**
   * True distribution at an observation of a career, given those before it.
   *
   * @throws {RangeError} If the career has no birth year or no such observation.
   */
  distributionAt(career: Career, index: number): Float64Array;
  /** Natural logarithms of the true probabilities of what happened, `[numObservations]`. */
  logProbabilities(career: Career): Float64Array;
  /**
   * Exact entropy of the occupation at each observation given those before it, in nats,
   * `[numObservations]`. The exponential of the mean over careers is the perplexity that no
   * model can expect to beat.
   */
  entropies(career: Career): Float64Array;
}

/**
 * Opens a population of synthetic people, whose occupations follow a semi-Markov process
 * over some 70 common occ1990dd codes and the three statuses.
 *
 * With `s(x) = 1/(1+e^−x)`, and all of it as of the next observation, whose year and
 * education are given:
 *
 *     P(first is education)     s(1.3 (leavingAge[education] + 0.5 − age) + 0.5)
 *     P(stay) over a gap of g   p^g
 *       in a job                p = s(−0.5 + stay + stability[family] + c ln(tenure)
 *                                   − 0.5 |demand[job] − level| + 0.05 (min(age, 45) − 30))
 *       in education            p = as the first
 *       unemployed              p = s(−1.2 + 0.6 ln(tenure))
 *       not in labor force      p = s(−0.2 + 0.4 woman + 0.9 ln(tenure) + 0.3 max(0, age − 56))
 *     P(where | move)           odds of work 1, education e^(−2 − 0.2 (age − 20)) (0 for
 *                               graduates), not in labor force e^(−2.2 + parent +
 *                               0.35 max(0, age − 56)), unemployed e^(−1.2 − 0.5 level); 0 for
 *                               the status left; parent = 1 for women of 24 to 40
 *     P(job | move to work)     recall[status left] for the latest earlier other job, if any;
 *                               the rest ∝ popularity · boost[family] · affinity[from][to] ·
 *                               e^(±tilt[family]/2 + 0.1 senior (min(age, 45) − 32)
 *                                 − 2.5 max(0, demand − level) − 1.3 max(0, level − demand))
 *
 * `tenure` is the years since the first observation of the present spell, plus one. So
 * staying depends on how long the spell has lasted, and moves on the present job, education,
 * gender, age, and a job perhaps many years back: a model of the last occupation alone falls
 * well short. Education rises by its own process, which reads the last status; years without
 * an observation are independent of everything. Ethnicity and region mean nothing. No
 * number comes from a survey.
 *
 * @param name `"large"` (skewed as online resumes are) or `"survey"` (representative). They
 * share jobs, popularities and affinities; people and transitions differ.
 * @param options Seed of the popularities and affinities, by default 1.
 * @returns The population.
 * @throws {RangeError} If there is no such population.
 *
 * @example The best perplexity any model can expect
 * ```ts ignore
 * const population = syntheticPopulation("survey");
 * const nats = population.generate(1000, { seed: 7 }).flatMap((c) => [...population.entropies(c)]);
 * const best = Math.exp(nats.reduce((a, b) => a + b) / nats.length);
 * ```
 */
export function syntheticPopulation(
  name: PopulationName,
  options: { readonly seed?: number } = {},
): SyntheticPopulation {
  const { seed: structureSeed = 1 } = options;
  if (!Object.hasOwn(POPULATIONS, name)) {
    throw new RangeError(
      `Cannot open a synthetic population: the name must be "large" or "survey", got "${name}"`,
    );
  }
  const traits = POPULATIONS[name];
  const process = new OccupationProcess(drawStructure(structureSeed), traits);
  const distributionAt = (career: Career, index: number) => {
    const { id, gender, birthYear, observations } = career;
    const next = observations[index];
    if (birthYear === undefined || !next) {
      throw new RangeError(
        `Cannot predict career "${id}": it must have a birth year and an observation ${index}, ` +
          `got birth year ${birthYear} and ${observations.length} observations`,
      );
    }
    const past = observations.slice(0, index);
    return process.distribution({ gender, birthYear, observations: past }, next);
  };
  return {
    name,
    generate(numPeople, { seed }) {
      return Array.from({ length: numPeople }, (_, i) => ({
        id: `${name}-${seed}-${i}`,
        ...drawCareer(Random.from(seed, "synthetic", name, i), traits, process),
      }));
    },
    distribution: (history, next) => process.distribution(history, next),
    distributionAt,
    logProbabilities: (career) =>
      Float64Array.from(career.observations, ({ occupation }, index) =>
        Math.log(distributionAt(career, index)[occupationIndex(occupation)]!),
      ),
    entropies: (career) =>
      Float64Array.from(career.observations, (_, index) => entropy(distributionAt(career, index))),
  };
}

function entropy(probabilities: Float64Array): number {
  return probabilities.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
}
