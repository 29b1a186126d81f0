import { type Career, historyPieces, shuffleFields } from "../../data/mod.ts";
import { withPieces } from "../../model/occupation/history.ts";
import type { OccupationModel } from "../../model/occupation/occupation_model.ts";
import type { OpenedModel } from "./family.ts";
import type { Variation } from "./results.ts";

/** Test people as a variation changes them; ids and observations stay. */
export function variedPeople(
  people: readonly Career[],
  variation: Variation,
  seed: number,
): readonly Career[] {
  return variation.kind === "shuffled"
    ? shuffleFields(people, { fields: variation.fields, seed })
    : people;
}

/** A model as a variation asks it. */
export function variedModel({ model, person }: OpenedModel, variation: Variation): OccupationModel {
  if (variation.kind !== "history") return model;
  const { rows } = variation;
  return withPieces(model, { cut: (career) => historyPieces(career, rows), toPerson: person });
}
