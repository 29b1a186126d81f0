import { kindOf, KINDS } from "../occupation/metrics.ts";
import {
  type OccupationModel,
  type Person,
  type Score,
  scoreOf,
} from "../occupation/occupation_model.ts";

/**
 * What a model thought of every observation of some people, one entry an observation, people
 * one after another: all that perplexity, discrimination, calibration and their standard errors
 * need, so that a model is asked once.
 */
export interface Predictions {
  /** Ids of the people, `[numPeople]`. */
  readonly ids: readonly string[];
  /** Which of the people, ascending, `[numObservations]`. */
  readonly person: Uint32Array;
  /** Calendar year, `[numObservations]`. */
  readonly year: Uint16Array;
  /** Index of the true occupation in the vocabulary, `[numObservations]`. */
  readonly occupation: Uint16Array;
  /** Index into `KINDS`: first, staying, moving, `[numObservations]`. */
  readonly kind: Uint8Array;
  /** As `Score.raw`: natural logarithm, as the paper defines it, `[numObservations]`. */
  readonly raw: Float64Array;
  /** As `Score.normalized`, `[numObservations]`. */
  readonly normalized: Float64Array;
  /** As `Score.stay`: probability of staying, NaN at first observations, `[numObservations]`. */
  readonly stay: Float64Array;
  /** As `Score.rank`: occupations more probable than the true one, `[numObservations]`. */
  readonly rank: Uint16Array;
}

/** Options of {@linkcode collectPredictions}. */
export interface CollectOptions {
  /** Told after every person how many are done. */
  readonly onPerson?: (numDone: number) => void;
}

/**
 * Asks a model about every observation of people.
 *
 * @param model Any occupation model.
 * @param people Whom to ask about; their order is kept.
 * @throws {RangeError} If the model does not give one score per person and observation.
 */
export async function collectPredictions(
  model: OccupationModel,
  people: readonly Person[],
  { onPerson }: CollectOptions = {},
): Promise<Predictions> {
  const predictions = predictionsFor(people);
  let [p, at] = [0, 0];
  for await (const score of model.score(people)) {
    const person = people[p];
    const expected = person?.occupations.length ?? 0;
    for (const [name, { length: got }] of Object.entries(score)) {
      if (person !== undefined && got === expected) continue;
      throw new RangeError(
        `Cannot collect predictions of "${model.name}": ${name} of person ${p} must be [${expected}], got [${got}]`,
      );
    }
    fillIn(predictions, { person: person!, score, p, at });
    at += expected;
    p++;
    onPerson?.(p);
  }
  if (p === people.length) return predictions;
  throw new RangeError(
    `Cannot collect predictions of "${model.name}": it must score ${people.length} people, got ${p}`,
  );
}

/**
 * Predictions from a function that computes whole distributions, at once.
 *
 * @param people Whom to ask about; their order is kept.
 * @param distribution Probabilities at an observation, which sum to one, `[numOccupations]`.
 */
export function predictionsOf(
  people: readonly Person[],
  distribution: (person: Person, index: number) => ArrayLike<number>,
): Predictions {
  const predictions = predictionsFor(people);
  let at = 0;
  for (const [p, person] of people.entries()) {
    const score = scoreOf(person.occupations, (index) => distribution(person, index));
    fillIn(predictions, { person, score: { ...score, raw: score.normalized }, p, at });
    at += person.occupations.length;
  }
  return predictions;
}

/** Predictions yet to be filled in. */
export function emptyPredictions(ids: readonly string[], length: number): Predictions {
  return {
    ids,
    person: new Uint32Array(length),
    year: new Uint16Array(length),
    occupation: new Uint16Array(length),
    kind: new Uint8Array(length),
    raw: new Float64Array(length),
    normalized: new Float64Array(length),
    stay: new Float64Array(length),
    rank: new Uint16Array(length),
  };
}

function predictionsFor(people: readonly Person[]): Predictions {
  return emptyPredictions(
    people.map(({ career }) => career.id),
    people.reduce((sum, { occupations }) => sum + occupations.length, 0),
  );
}

/** Writes a person's observations from `at` on. */
function fillIn(
  predictions: Predictions,
  { person, score, p, at }: { person: Person; score: Score; p: number; at: number },
): void {
  const { career, occupations } = person;
  predictions.person.fill(p, at, at + occupations.length);
  predictions.year.set(
    career.observations.map(({ year }) => year),
    at,
  );
  predictions.occupation.set(occupations, at);
  predictions.kind.set(
    occupations.map((_, index) => KINDS.indexOf(kindOf(person, index))),
    at,
  );
  predictions.raw.set(score.raw, at);
  predictions.normalized.set(score.normalized, at);
  predictions.stay.set(score.stay, at);
  predictions.rank.set(score.rank, at);
}
