import type { ImportReport } from "../import_report.ts";
import type { YearRecord } from "../person_record.ts";
import type { FamilyItem, YearPlan } from "./year_plan.ts";

/** Looks a variable up in the row of a person; `undefined` is a blank. */
export type Lookup = (variable: string) => number | undefined;

/** What one year says of a person; what it does not say is absent. */
export interface PersonYear {
  /** With nothing but education where the year does not count. */
  readonly record: YearRecord;
  /** Whether the person was head or spouse, of the right age, and told a status. */
  readonly counts: boolean;
  readonly ethnicity?: string;
  readonly region?: string;
  /** Year of birth as told, unless the age contradicts it. */
  readonly born?: number;
  /** Year less age. */
  readonly bornByAge?: number;
}

/** Where person-years are read, and what they are checked against. */
export interface PersonYearContext {
  /** Where the person stands: `"IND2021ER.txt, line 7"`. */
  readonly place: string;
  readonly ages: readonly [number, number];
  readonly isPresent: (sequence: number) => boolean;
  readonly isUnknown: { age(code: number): boolean; born(code: number): boolean };
  /** Of each year, family and role, a number where somebody has that role already. */
  readonly taken: Set<number>;
  readonly report: ImportReport;
}

/** Reports what is left out, the code that was met, and whether the whole year goes. */
type Drop = (reason: string, code?: number, what?: "year" | "value") => undefined;

/**
 * Reads one year of a person: the head's or the spouse's variables of the family in which it lived
 * at the interview.
 *
 * Schooling that is told in a year that does not count is kept for the years that do.
 *
 * @returns `undefined` if the person was not surveyed in that year, or nothing is told; what was
 *   surveyed and left out is reported.
 */
export function readPersonYear(
  plan: YearPlan,
  own: Lookup,
  context: PersonYearContext,
): PersonYear | undefined {
  const { year, codes, variables } = plan;
  const { individual } = variables;
  const drop: Drop = (reason, code, what = "year") => {
    const detail = code === undefined ? "" : `: ${code}`;
    context.report.add(what, reason, `${context.place}, ${year}${detail}`);
    return undefined;
  };
  const interview = own(individual.interview!);
  if (interview === undefined || interview === 0) return undefined; // not in the survey that year
  const grade = own(individual.education!);
  const level = grade === undefined ? "missing" : codes.education.meaning(grade);
  if (level === undefined) drop("an unknown code of education", grade, "value");
  const schooling = level === undefined || level === "missing" ? {} : { education: level };
  const counted = readCounted(plan, interview, { own, context, drop });
  if (counted !== undefined) {
    const { work, ...rest } = counted;
    return { record: { year, ...schooling, ...work }, counts: true, ...rest };
  }
  return level === undefined || level === "missing"
    ? undefined
    : { record: { year, ...schooling }, counts: false };
}

interface Reading {
  readonly own: Lookup;
  readonly context: PersonYearContext;
  readonly drop: Drop;
}

/** Reads what only heads and spouses tell; `undefined` if the year does not count. */
function readCounted(
  plan: YearPlan,
  interview: number,
  { own, context, drop }: Reading,
): (Omit<PersonYear, "record" | "counts"> & { work: Work }) | undefined {
  const { year, codes, variables } = plan;
  const { individual } = variables;
  if (!context.isPresent(own(individual.sequence!) ?? 0)) {
    return drop("not living with the family at the interview (moved out, in an institution, dead)");
  }
  const relationship = own(individual.relationship!);
  const role = relationship === undefined ? undefined : codes.relationship.meaning(relationship);
  if (role === undefined) return drop("neither head nor spouse");
  const key = (year * 1e9 + interview) * 2 + (role === "head" ? 0 : 1);
  if (context.taken.has(key)) return drop(`a family with a second ${role}`, interview);
  const item = itemLookup(plan, interview, own);
  if (item === undefined) return drop("no row of the family in its family file", interview);
  context.taken.add(key);

  const ages = readAges(plan, own, context);
  if (ages === undefined) return drop("age unknown");
  const [youngest, oldest] = context.ages;
  if (ages.age < youngest || ages.age > oldest) {
    return drop(`younger than ${youngest} or older than ${oldest}`);
  }
  const work = readWork(plan, (name) => item(`${role}.${name}`), drop);
  if (work === undefined) return undefined;
  const { age: _, ...births } = ages;
  return { work, ...readBackground(plan, item, `${role}.race`, drop), ...births };
}

/** Reads age and year of birth, either from the other where one is not told. */
function readAges(
  { year, variables: { individual } }: YearPlan,
  own: Lookup,
  { isUnknown }: PersonYearContext,
): { age: number; born?: number; bornByAge?: number } | undefined {
  const age = own(individual.age!);
  const born = individual.born == null ? undefined : own(individual.born);
  const isTold = born !== undefined && !isUnknown.born(born);
  if (age === undefined || isUnknown.age(age))
    return isTold ? { age: year - born, born } : undefined;
  // A year of birth that contradicts the age would date the whole career wrongly.
  const agrees = isTold && Math.abs(year - age - born) <= 2;
  return { age, bornByAge: year - age, ...(agrees && { born }) };
}

/** A lookup of the family's variables, in its own row or in the person's. */
function itemLookup(
  plan: YearPlan,
  interview: number,
  own: Lookup,
): ((item: FamilyItem) => number | undefined) | undefined {
  const { items, families } = plan;
  if (families === undefined) {
    return (item) => {
      const name = items.get(item);
      return name === undefined ? undefined : own(name);
    };
  }
  const values = families.get(interview);
  if (values === undefined) return undefined;
  const order = [...items.keys()];
  return (item) => {
    const index = order.indexOf(item);
    return index < 0 ? undefined : values[index];
  };
}

type Work = Pick<YearRecord, "enrolled" | "status" | "occupation">;

/** Reads status and occupation; the occupation of who does not work now is one of earlier years. */
function readWork(
  { codes }: YearPlan,
  item: (name: "status" | "occupation") => number | undefined,
  drop: Drop,
): Work | undefined {
  const code = item("status");
  const status = code === undefined ? "missing" : codes.status.meaning(code);
  if (status === undefined) return drop("an unknown code of employment status", code);
  if (status === "missing") return drop("no employment status");
  if (status === "student") return { enrolled: true };
  if (status !== "employed") return { status };
  const occupation = item("occupation");
  if (occupation === undefined || codes.occupation.meaning(occupation) === "missing") {
    return { status };
  }
  if (!Number.isSafeInteger(occupation) || occupation < 0) {
    return drop("an unknown code of occupation", occupation);
  }
  return { status, occupation: { code: String(occupation), coding: codes.coding } };
}

function readBackground(
  { codes }: YearPlan,
  item: (item: FamilyItem) => number | undefined,
  raceItem: FamilyItem,
  drop: Drop,
): Pick<PersonYear, "ethnicity" | "region"> {
  const [raceCode, regionCode] = [item(raceItem), item("region")];
  const race = raceCode === undefined ? "missing" : codes.race.meaning(raceCode);
  const region = regionCode === undefined ? "missing" : codes.region.meaning(regionCode);
  // These are of the person, not of the year: another year may tell them.
  if (race === undefined) drop("an unknown code of race", raceCode, "value");
  if (region === undefined) drop("an unknown code of region", regionCode, "value");
  return {
    ...(race !== undefined && race !== "missing" && { ethnicity: race }),
    ...(region !== undefined && region !== "missing" && { region }),
  };
}
