import type { Person } from "../../model/occupation/occupation_model.ts";

/** A person with these occupations in consecutive years; nothing else is told of them. */
export function personOf(occupations: readonly number[], id = occupations.join(" ")): Person {
  return {
    career: {
      id,
      gender: "female",
      ethnicity: "white",
      observations: occupations.map((occupation, index) => ({
        year: 2000 + index,
        education: "high school",
        occupation: String(occupation),
      })),
    },
    occupations,
  };
}
