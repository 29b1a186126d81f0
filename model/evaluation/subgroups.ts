import type { Career } from "../../data/career.ts";
import type { Predictions } from "./predictions.ts";
import { positionsOf, selectObservations } from "./selection.ts";

/** What divides observations into groups. */
export const SUBGROUP_FIELDS = ["education", "gender", "ethnicity", "decade"] as const;

/** One of {@linkcode SUBGROUP_FIELDS}. */
export type SubgroupField = (typeof SUBGROUP_FIELDS)[number];

/** Observations that have something in common. */
export interface Subgroup {
  readonly field: SubgroupField;
  /** `"college"`, `"female"`, `"1990s"`. */
  readonly value: string;
  /** Whether each observation of the predictions is in it, `[numObservations]`. */
  readonly isMember: Uint8Array;
}

/**
 * Divides the observations of predictions: by education in the year of the observation, by gender,
 * by ethnicity, and by decade.
 *
 * @param predictions Of any people.
 * @param careers Those people, in any order, and perhaps others.
 * @returns Groups by field, those of a field by value.
 * @throws {RangeError} If somebody who was predicted has no such career.
 */
export function subgroupsOf(predictions: Predictions, careers: readonly Career[]): Subgroup[] {
  const byId = new Map(careers.map((career) => [career.id, career]));
  const positions = positionsOf(predictions);
  const groups = new Map<string, Subgroup>();
  for (let i = 0; i < positions.length; i++) {
    const id = predictions.ids[predictions.person[i]!]!;
    const career = byId.get(id);
    const observation = career?.observations[positions[i]! - 1];
    if (!career || !observation) {
      throw new RangeError(
        `Cannot divide observations: every predicted one must be in the careers, got none for observation ${positions[i]} of career "${id}"`,
      );
    }
    const { year, education } = observation;
    const { gender, ethnicity } = career;
    const values = { education, gender, ethnicity, decade: `${Math.floor(year / 10) * 10}s` };
    for (const field of SUBGROUP_FIELDS) {
      const value = values[field];
      const key = `${field} ${value}`;
      let group = groups.get(key);
      if (!group) {
        groups.set(key, (group = { field, value, isMember: new Uint8Array(positions.length) }));
      }
      group.isMember[i] = 1;
    }
  }
  return [...groups.values()].toSorted(
    (a, b) =>
      SUBGROUP_FIELDS.indexOf(a.field) - SUBGROUP_FIELDS.indexOf(b.field) ||
      (a.value < b.value ? -1 : 1),
  );
}

/** Predictions of the observations in a group; all people stay, as do weights of them. */
export function inSubgroup(predictions: Predictions, { isMember }: Subgroup): Predictions {
  return selectObservations(predictions, (i) => isMember[i] === 1);
}
