import type { Career, Observation } from "../../data/career.ts";
import type {
  OccupationModel,
  OccupationQuestion,
  Person,
} from "../occupation/occupation_model.ts";

/** A model that can be asked about careers that never were. */
export interface CareerModel {
  readonly model: OccupationModel;
  /** A career as the model sees it. */
  readonly toPerson: (career: Career) => Person;
  /** Code of each occupation, in the order of the vocabulary. */
  readonly codes: readonly string[];
}

/** A year of which the occupation is asked. */
export type AskedYear = Pick<Observation, "year" | "education">;

/** What comes after some observations, in a year that may never have been observed. */
export function questionAfter(
  { toPerson, codes }: CareerModel,
  career: Career,
  { told, asked }: { readonly told: readonly Observation[]; readonly asked: AskedYear },
): OccupationQuestion {
  const next: Observation = { ...asked, occupation: codes[0]! }; // nobody reads it
  return { person: toPerson({ ...career, observations: [...told, next] }), index: told.length };
}
