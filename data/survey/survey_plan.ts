import type { Education } from "../career.ts";
import type { Coding } from "../crosswalk/coding.ts";
import { locate, type LocatedVariable, missingVariables } from "./locate.ts";
import { type Meaning, meaningOf, type SurveyMapping } from "./mapping.ts";
import type { LaborForceStatus } from "./person_record.ts";
import type { SurveyTable, SurveyVariable } from "./survey_table.ts";

/** A variable, where its value stands in a row, and what its codes mean. */
export interface Reading<T> {
  /** The entry of the mapping, for reports: `"occupation"`. */
  readonly path: string;
  readonly variable: SurveyVariable;
  /** Place in the values of a row. */
  readonly index: number;
  readonly meaning: Meaning<T>;
}

/** All that is read of one year. */
export interface YearPlan {
  readonly year: number;
  /** Whether it may become a person-year; else it only tells of education. */
  readonly isObserved: boolean;
  readonly education: readonly Reading<Education>[];
  readonly enrollment: readonly Reading<boolean>[];
  readonly status: readonly Reading<LaborForceStatus>[];
  readonly occupation: readonly (Reading<LaborForceStatus> & { readonly coding: Coding })[];
}

/** Which values of a row tell what. */
export interface SurveyPlan {
  readonly wanted: readonly SurveyVariable[];
  readonly id: SurveyVariable;
  readonly gender: readonly Reading<string>[];
  readonly ethnicity: readonly Reading<string>[];
  readonly birthYear: readonly Reading<number>[];
  /** In the order of years. */
  readonly region: readonly Reading<string>[];
  /** In ascending order. */
  readonly years: readonly YearPlan[];
}

/**
 * Finds all variables of a mapping in a survey.
 *
 * @throws {RangeError} If the survey lacks some that the mapping does not call optional.
 */
export function planSurvey(table: SurveyTable, mapping: SurveyMapping): SurveyPlan {
  const wanted: SurveyVariable[] = [];
  const indexOf = new Map<SurveyVariable, number>();
  const reading = <T>(
    path: string,
    { variable }: LocatedVariable,
    meaning: Meaning<T>,
  ): Reading<T> => {
    const index = indexOf.get(variable) ?? wanted.length;
    if (index === wanted.length) {
      indexOf.set(variable, index);
      wanted.push(variable);
    }
    return { path, variable, index, meaning };
  };
  const find = <T>(
    path: string,
    entry: Entry | undefined,
    { meaning, several = false }: { readonly meaning: Meaning<T>; readonly several?: boolean },
  ): { readonly year?: number; readonly reading: Reading<T> }[] => {
    if (entry === undefined) return [];
    const { from, optional = false } = entry;
    return locate(table, from, { path, optional, several }).map((located) => ({
      ...(located.year !== undefined && { year: located.year }),
      reading: reading(path, located, meaning),
    }));
  };
  const ids = locate(table, mapping.id.from, { path: "id" });
  const id = ids[0]!.variable;
  const { add = 0 } = mapping.birth_year ?? {};
  const fixed = {
    id: reading("id", { variable: id }, (code) => code),
    gender: readingsOf(
      find("gender", mapping.gender, { meaning: meaningOf(mapping.gender.values) }),
    ),
    ethnicity: readingsOf(
      find("ethnicity", mapping.ethnicity, { meaning: meaningOf(mapping.ethnicity.values) }),
    ),
    birthYear: readingsOf(
      find("birth_year", mapping.birth_year, { meaning: (code) => birthYear(Number(code) + add) }),
    ),
    region: readingsOf(
      find("region", mapping.region, { meaning: meaningOf(mapping.region?.values ?? {}) }),
    ),
  };
  const years = planYears(mapping, find);
  for (const what of ["education", "occupation"] as const) {
    if (years.some((year) => year[what].length > 0)) continue;
    const from = mapping[what].flatMap((entry) => entry.from);
    throw missingVariables(table, from, what); // optional or not: a career needs one of them
  }
  return { ...fixed, wanted, id, years };
}

interface Entry {
  readonly from: Parameters<typeof locate>[1];
  readonly optional?: boolean;
}

type Find = <T>(
  path: string,
  entry: Entry | undefined,
  options: { readonly meaning: Meaning<T>; readonly several?: boolean },
) => { readonly year?: number; readonly reading: Reading<T> }[];

function planYears(mapping: SurveyMapping, find: Find): YearPlan[] {
  const education = mapping.education.flatMap((entry, i) =>
    find(`education.${i}`, entry, { meaning: meaningOf(entry.values) }),
  );
  const enrollment = find("enrollment", mapping.enrollment, {
    meaning: meaningOf(mapping.enrollment?.values ?? {}),
  });
  const status = find("status", mapping.status, {
    meaning: meaningOf(mapping.status?.values ?? {}),
    several: true,
  });
  const occupation = mapping.occupation.flatMap((entry, i) =>
    find(`occupation.${i}`, entry, { meaning: meaningOf(entry.missing) }).map(
      ({ reading, ...rest }) => ({ ...rest, reading: { ...reading, coding: entry.coding } }),
    ),
  );
  const told = [...occupation, ...status].map(({ year }) => year);
  const observed = new Set(mapping.years ?? told);
  const all = [...education, ...enrollment, ...status, ...occupation].map(({ year }) => year);
  const years = [...new Set(all)].filter((year) => year !== undefined).toSorted((a, b) => a - b);
  const ofYear = <T>(found: readonly { year?: number; reading: T }[], year: number): T[] =>
    readingsOf(found.filter((each) => each.year === year));
  return years.map((year) => ({
    year,
    isObserved: observed.has(year),
    education: ofYear(education, year),
    enrollment: ofYear(enrollment, year),
    status: ofYear(status, year),
    occupation: ofYear(occupation, year),
  }));
}

function readingsOf<T>(found: readonly { readonly reading: T }[]): T[] {
  return found.map(({ reading }) => reading);
}

/** A year of birth is unlisted where it is none. */
function birthYear(year: number): number | undefined {
  return Number.isInteger(year) && year >= 1850 && year <= 2050 ? year : undefined;
}
