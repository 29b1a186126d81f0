import { KINDS, type Kind } from "../../model/occupation/metrics.ts";
import { emptyPredictions, type Predictions } from "../../model/evaluation/predictions.ts";

/** One observation as a model saw it; what is left out does not matter to the test. */
export interface MadeObservation {
  readonly kind?: Kind;
  /** Predicted probability of moving. */
  readonly move?: number;
  readonly normalized?: number;
  readonly raw?: number;
  readonly rank?: number;
  readonly year?: number;
  readonly occupation?: number;
}

/** Predictions with these observations, person after person. */
export function madePredictions(
  people: readonly (readonly MadeObservation[])[],
  ids = people.map((_, p) => `p${p}`),
): Predictions {
  const predictions = emptyPredictions(ids, people.flat().length);
  let at = 0;
  for (const [p, observations] of people.entries()) {
    for (const [index, observation] of observations.entries()) {
      const { kind = index === 0 ? "first" : "staying", move = NaN, normalized = 0 } = observation;
      predictions.person[at] = p;
      predictions.kind[at] = KINDS.indexOf(kind);
      predictions.stay[at] = 1 - move;
      predictions.normalized[at] = normalized;
      predictions.raw[at] = observation.raw ?? normalized;
      predictions.rank[at] = observation.rank ?? 0;
      predictions.year[at] = observation.year ?? 2000 + index;
      predictions.occupation[at] = observation.occupation ?? 0;
      at++;
    }
  }
  return predictions;
}

/** People of one first and one later observation each, which moved or stayed. */
export function madeMoves(
  observations: readonly { readonly move: number; readonly moved: boolean }[],
): Predictions {
  return madePredictions(
    observations.map(({ move, moved }) => [{}, { kind: moved ? "moving" : "staying", move }]),
  );
}
