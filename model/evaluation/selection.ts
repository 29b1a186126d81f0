import { emptyPredictions, type Predictions } from "./predictions.ts";

/** The arrays of predictions that have an entry an observation. */
const ARRAYS = [
  "person",
  "year",
  "occupation",
  "kind",
  "raw",
  "normalized",
  "stay",
  "rank",
] as const;

/**
 * Predictions of some observations. All people stay, some perhaps without an observation, so that
 * weights of people are the same as for the whole.
 *
 * @param predictions Of all observations.
 * @param isChosen Whether to keep the observation at an index.
 */
export function selectObservations(
  predictions: Predictions,
  isChosen: (index: number) => boolean,
): Predictions {
  const chosen: number[] = [];
  for (let i = 0; i < predictions.person.length; i++) if (isChosen(i)) chosen.push(i);
  const selected = emptyPredictions(predictions.ids, chosen.length);
  for (const name of ARRAYS) {
    const [from, to] = [predictions[name], selected[name]];
    chosen.forEach((index, i) => (to[i] = from[index]!));
  }
  return selected;
}

/**
 * Predictions of some people, in the order of the predictions.
 *
 * @param predictions Of all people.
 * @param ids Whom to keep; others than those predicted are ignored.
 */
export function selectPeople(predictions: Predictions, ids: ReadonlySet<string>): Predictions {
  const place = predictions.ids.map((id) => ids.has(id));
  const selected = selectObservations(predictions, (i) => place[predictions.person[i]!]!);
  const renumbered = new Map<number, number>();
  place.forEach((isKept, p) => isKept && renumbered.set(p, renumbered.size));
  return {
    ...selected,
    ids: predictions.ids.filter((_, p) => place[p]),
    person: selected.person.map((p) => renumbered.get(p)!),
  };
}

/**
 * Two models' predictions of the people that both were asked about.
 *
 * @returns Both, with the same people; the arguments themselves where those are the same already.
 * @throws {RangeError} If the models were asked about different observations of a person, or about
 *   people in different orders.
 */
export function onCommonPeople(a: Predictions, b: Predictions): [Predictions, Predictions] {
  const areSame = a.ids.length === b.ids.length && a.ids.every((id, p) => id === b.ids[p]);
  const pair: [Predictions, Predictions] = areSame
    ? [a, b]
    : [selectPeople(a, new Set(b.ids)), selectPeople(b, new Set(a.ids))];
  const [one, other] = pair;
  const numSame = one.person.findIndex(
    (p, i) =>
      one.ids[p] !== other.ids[other.person[i]!] ||
      one.year[i] !== other.year[i] ||
      one.occupation[i] !== other.occupation[i],
  );
  if (numSame === -1 && one.person.length === other.person.length) return pair;
  throw new RangeError(
    `Cannot compare two models: both must have been asked about the same observations of a person, in the same order, got ${one.person.length} and ${other.person.length} observations of ${one.ids.length} people that differ`,
  );
}

/** Place of each observation in its person's career, from 1 on, `[numObservations]`. */
export function positionsOf({ person }: Predictions): Uint16Array {
  const positions = new Uint16Array(person.length);
  for (let i = 0; i < person.length; i++) {
    positions[i] = i > 0 && person[i] === person[i - 1] ? positions[i - 1]! + 1 : 1;
  }
  return positions;
}
