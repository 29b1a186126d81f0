import type { Career } from "../../data/career.ts";

/** Names of what a model may be told besides jobs, in the order of its tables. */
export const COVARIATES = [
  "year",
  "education",
  "gender",
  "ethnicity",
  "region",
  "birthYear",
] as const;

/** One of {@linkcode COVARIATES}. */
export type CovariateName = (typeof COVARIATES)[number];

/** One covariate: a table with a row for each value, and a last one for what is unknown. */
export interface Covariate {
  readonly name: CovariateName;
  /** Values of the people that the model learned from, ascending: all numbers or all strings. */
  readonly values: readonly (number | string)[];
}

/** All that a model is told of an observation besides the job before. */
export type CovariateVocabulary = readonly Covariate[];

/**
 * Covariates of people to learn from.
 *
 * @param careers At least one.
 * @param options Whether the year of birth is told.
 */
export function covariatesOf(
  careers: Iterable<Career>,
  { birthYear }: { readonly birthYear: boolean },
): CovariateVocabulary {
  const names = COVARIATES.filter((name) => name !== "birthYear" || birthYear);
  const seen = names.map(() => new Set<number | string>());
  for (const career of careers) {
    names.forEach((name, which) => {
      for (const value of valuesOf(career, name)) {
        if (value !== undefined) seen[which]!.add(value);
      }
    });
  }
  return names.map((name, which) => ({ name, values: [...seen[which]!].toSorted(ascending) }));
}

/** Values that two vocabularies of the same covariates know between them. */
export function mergeCovariates(
  one: CovariateVocabulary,
  other: CovariateVocabulary,
): CovariateVocabulary {
  return one.map(({ name, values }) => {
    const more = other.find((covariate) => covariate.name === name)?.values ?? [];
    return { name, values: [...new Set([...values, ...more])].toSorted(ascending) };
  });
}

/** Rows of a covariate's table: its values and the unknown. */
export function numRowsOf({ values }: Covariate): number {
  return values.length + 1;
}

/**
 * Row of a value. A number that is not among the values, such as a year after those learned from,
 * has the row of the nearest one, of two the lower; text that is not, and what is not known, has
 * the last row.
 */
export function rowOf({ values }: Covariate, value: number | string | undefined): number {
  const unknown = values.length;
  if (value === undefined) return unknown;
  if (typeof value === "string") {
    const row = values.indexOf(value);
    return row < 0 ? unknown : row;
  }
  let nearest = unknown;
  let distance = Infinity;
  values.forEach((known, row) => {
    if (Math.abs(Number(known) - value) >= distance) return;
    [nearest, distance] = [row, Math.abs(Number(known) - value)];
  });
  return nearest;
}

/**
 * Rows of a career's observations in the table of a covariate, `[numObservations]`; those of what
 * does not change repeat.
 */
export function covariateRows(career: Career, covariate: Covariate): Uint32Array<ArrayBuffer> {
  const values = valuesOf(career, covariate.name);
  if (values.length === 1) {
    const row = rowOf(covariate, values[0]);
    return new Uint32Array(career.observations.length).fill(row);
  }
  return Uint32Array.from(values, (value) => rowOf(covariate, value));
}

/** Values of a covariate: one of the person, or one an observation. */
function valuesOf(career: Career, name: CovariateName): (number | string | undefined)[] {
  if (name === "year") return career.observations.map(({ year }) => year);
  if (name === "education") return career.observations.map(({ education }) => education);
  return [career[name]];
}

function ascending(a: number | string, b: number | string): number {
  return a < b ? -1 : Number(a > b);
}
