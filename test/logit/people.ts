import type { Career } from "../../data/mod.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";
import { uniform } from "../support.ts";

/** Options of {@linkcode peopleOf}. */
export interface PeopleOptions {
  readonly numPeople: number;
  readonly numOccupations: number;
  readonly seed: number;
}

/** People who stay with a chance that their education raises, else move anywhere. */
export function peopleOf({ numPeople, numOccupations, seed }: PeopleOptions): Person[] {
  const random = uniform(numPeople * 40, seed);
  let at = 0;
  const draw = (count: number) => Math.floor(((random[at++]! + 1) / 2) * count);
  return Array.from({ length: numPeople }, (_, p) => {
    at = p * 40;
    const isHigh = draw(2) === 1;
    const career: Omit<Career, "observations"> = {
      id: `${seed}-${p}`,
      gender: draw(2) === 1 ? "female" : "male",
      ethnicity: draw(3) === 1 ? "hispanic" : "white",
      region: "south",
      birthYear: 1960 + draw(10),
    };
    const occupations = [draw(numOccupations)];
    const length = 3 + draw(8);
    while (occupations.length < length) {
      const stays = draw(100) < (isHigh ? 80 : 40);
      occupations.push(stays ? occupations.at(-1)! : draw(numOccupations));
    }
    const observations = occupations.map((_occupation, i) => ({
      year: 1990 + i + (i > 2 ? 1 : 0),
      education: isHigh ? ("college" as const) : ("high school" as const),
      occupation: "unemployed", // models in tests read the indices
    }));
    return { career: { ...career, observations }, occupations };
  });
}
