import type { Career } from "../../data/career.ts";
import type { CareerModel } from "../../model/forecast/career_model.ts";
import { closedForm } from "../../model/occupation/occupation_model.ts";

/** What people can do in a small world. */
export const CODES = ["cook", "waiter", "student", "idle"] as const;

/** Probabilities of the occupation a year later, by the one before. */
export const CHAIN = [
  [0.7, 0.15, 0.05, 0.1],
  [0.2, 0.6, 0.1, 0.1],
  [0.1, 0.2, 0.7, 0],
  [0.3, 0.3, 0, 0.4],
] as const;

/** The distribution so many years after an occupation. */
export function after(occupation: number, years: number): Float64Array {
  let distribution = Float64Array.from(CODES, (_, i) => +(i === occupation));
  for (let year = 0; year < years; year++) {
    const before = distribution;
    distribution = distribution.map((_, to) =>
      before.reduce((sum, p, from) => sum + p * CHAIN[from]![to]!, 0),
    );
  }
  return distribution;
}

const toPerson = (career: Career) => ({
  career,
  occupations: career.observations.map(({ occupation }) =>
    CODES.indexOf(occupation as (typeof CODES)[number]),
  ),
});

/** A Markov chain that knows how long years without an observation are. */
export function chainModel(
  onQuestion: (career: Career, index: number) => void = () => {},
): CareerModel {
  const model = closedForm({
    name: "chain",
    numOccupations: CODES.length,
    distribution: ({ career, occupations }, index) => {
      onQuestion(career, index);
      const { observations } = career;
      if (index === 0) return Float64Array.from(CODES, () => 1 / CODES.length);
      const gap = observations[index]!.year - observations[index - 1]!.year;
      return after(occupations[index - 1]!, gap);
    },
  });
  return { model, toPerson, codes: CODES };
}

/** A person in these occupations by year. */
export function careerOf(
  id: string,
  years: readonly (readonly [number, (typeof CODES)[number]])[],
): Career {
  return {
    id,
    gender: "female",
    ethnicity: "white",
    observations: years.map(([year, occupation], index) => ({
      year,
      education: index < 2 ? "high school" : "some college",
      occupation,
    })),
  };
}
