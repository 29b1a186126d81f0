import type { Weights } from "../evaluation/resampling.ts";
import type { OccupationModel, Person } from "./occupation_model.ts";

/**
 * Kinds of observation: a person's first; the same occupation as in the preceding
 * observation; a different one.
 */
export const KINDS = ["first", "staying", "moving"] as const;

/** One of {@linkcode KINDS}. */
export type Kind = (typeof KINDS)[number];

/** Which scores to measure, see `Score`. */
export type Variant = "raw" | "normalized";

/** A model's log-probabilities on a group of people, summed by person and kind. */
export interface Evaluation {
  /** Name of the model. */
  readonly name: string;
  /** Number of people. */
  readonly numPeople: number;
  /** Number of observations, `[numPeople, KINDS.length]`. */
  readonly counts: Float64Array;
  /** Sum of raw log-probabilities, `[numPeople, KINDS.length]`. */
  readonly raw: Float64Array;
  /** Sum of normalized log-probabilities, `[numPeople, KINDS.length]`. */
  readonly normalized: Float64Array;
}

/** What to measure. */
export interface PerplexityOptions {
  /** Kind of observation. @default {"all"} */
  readonly kind?: Kind | "all";
  /** Which scores. @default {"normalized"} */
  readonly variant?: Variant;
}

/** The kind of a person's observation. */
export function kindOf({ occupations }: Person, index: number): Kind {
  if (index === 0) return "first";
  return occupations[index] === occupations[index - 1] ? "staying" : "moving";
}

/**
 * Scores people with a model and sums the log-probabilities by person and kind, all that
 * perplexities and their standard errors need.
 *
 * @param model Any occupation model.
 * @param people Test people.
 * @returns The sums.
 * @throws {RangeError} If the model does not give one score per person and observation.
 */
export async function evaluate(
  model: OccupationModel,
  people: readonly Person[],
): Promise<Evaluation> {
  const size = people.length * KINDS.length;
  const counts = new Float64Array(size);
  const raw = new Float64Array(size);
  const normalized = new Float64Array(size);
  let p = 0;
  for await (const score of model.score(people)) {
    const person = people[p];
    const expected = person?.occupations.length ?? 0;
    if (score.raw.length !== expected || score.normalized.length !== expected) {
      throw new RangeError(
        `Cannot evaluate "${model.name}": the scores of person ${p} must be [${expected}], ` +
          `got [${score.raw.length}] raw and [${score.normalized.length}] normalized`,
      );
    }
    for (let index = 0; index < expected; index++) {
      const cell = p * KINDS.length + KINDS.indexOf(kindOf(person!, index));
      counts[cell]! += 1;
      raw[cell]! += score.raw[index]!;
      normalized[cell]! += score.normalized[index]!;
    }
    p++;
  }
  if (p !== people.length) {
    throw new RangeError(
      `Cannot evaluate "${model.name}": it must score ${people.length} people, got ${p}`,
    );
  }
  return { name: model.name, numPeople: people.length, counts, raw, normalized };
}

/** Number of observations of a kind. */
export function countOf(evaluation: Evaluation, kind: Kind | "all" = "all"): number {
  return total(evaluation, evaluation.counts, kind);
}

/**
 * Perplexity over observations, each of weight one:
 *
 *     exp(−Σ log P / count)
 *
 * A uniform distribution over the vocabulary has the size of the vocabulary.
 *
 * @param evaluation A model's sums.
 * @param options Kind of observation and which scores.
 * @param weights How often each person is counted, `[numPeople]`; by default once.
 * @returns The perplexity; `NaN` if there is no such observation.
 */
export function perplexity(
  evaluation: Evaluation,
  options: PerplexityOptions = {},
  weights?: Weights,
): number {
  const { kind = "all", variant = "normalized" } = options;
  const count = total(evaluation, evaluation.counts, kind, weights);
  return Math.exp(-total(evaluation, evaluation[variant], kind, weights) / count);
}

// oxlint-disable-next-line max-params -- one loop behind two public functions
function total(
  { numPeople }: Evaluation,
  cells: Float64Array,
  kind: Kind | "all",
  weights?: Weights,
): number {
  const from = kind === "all" ? 0 : KINDS.indexOf(kind);
  const to = kind === "all" ? KINDS.length : from + 1;
  let sum = 0;
  for (let i = 0; i < numPeople; i++) {
    const weight = weights ? weights[i]! : 1;
    // Nothing times −∞ is not nothing.
    if (weight === 0) continue;
    for (let k = from; k < to; k++) sum += weight * cells[i * KINDS.length + k]!;
  }
  return sum;
}
