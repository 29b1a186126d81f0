import fc from "fast-check";
import { type Career, EDUCATION_LEVELS, OCCUPATIONS } from "../../data/mod.ts";

const word = fc.stringMatching(/^[a-z][a-z-]{0,8}$/);
const phrase = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(" "));

const observations = fc
  .uniqueArray(fc.integer({ min: 1960, max: 2030 }), { minLength: 1, maxLength: 30 })
  .chain((years) =>
    fc.record({
      years: fc.constant(years.toSorted((a, b) => a - b)),
      levels: fc
        .array(fc.integer({ min: 0, max: EDUCATION_LEVELS.length - 1 }), {
          minLength: years.length,
          maxLength: years.length,
        })
        .map((levels) => levels.toSorted((a, b) => a - b)),
      occupations: fc.array(fc.constantFrom(...OCCUPATIONS), {
        minLength: years.length,
        maxLength: years.length,
      }),
    }),
  )
  .map(({ years, levels, occupations }) =>
    years.map((year, i) => ({
      year,
      education: EDUCATION_LEVELS[levels[i]!]!,
      occupation: occupations[i]!.code,
    })),
  );

/** Careers that pass `careerProblem()`, of any shape a survey might have. */
export const arbitraryCareer: fc.Arbitrary<Career> = fc.record(
  {
    id: fc.stringMatching(/^[A-Za-z0-9 _"',é日-]{1,12}$/),
    gender: word,
    ethnicity: phrase,
    region: phrase,
    birthYear: fc.integer({ min: 1000, max: 9999 }),
    observations,
  },
  { requiredKeys: ["id", "gender", "ethnicity", "observations"], noNullPrototype: true },
);

/** A small career by hand: occupations from 2001 on, one a year, all with a college degree. */
export function careerOf(id: string, ...occupations: readonly string[]): Career {
  return {
    id,
    gender: "female",
    ethnicity: "white",
    region: "south",
    birthYear: 1980,
    observations: occupations.map((occupation, i) => ({
      year: 2001 + i,
      education: "college",
      occupation,
    })),
  };
}
