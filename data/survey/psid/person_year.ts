import type { YearRecord } from "../person_record.ts";
import type { PsidReport } from "./report.ts";
import type { FamilyItem, YearPlan } from "./year_plan.ts";

/** Looks a variable up in the row of a person; `undefined` is a blank. */
export type Lookup = (variable: string) => number | undefined;

/** What one year says of a person; what it does not say is absent. */
export interface PersonYear {
  readonly record: YearRecord;
  readonly ethnicity?: string;
  readonly region?: string;
  readonly born?: number;
}

/** Where person-years are read, and what they are checked against. */
export interface PersonYearContext {
  /** Where the person stands: `"IND2021ER.txt, line 7"`. */
  readonly place: string;
  readonly ages: readonly [number, number];
  readonly isPresent: (sequence: number) => boolean;
  readonly isUnknown: { age(code: number): boolean; born(code: number): boolean };
  /** The head and the spouse that each family has already: `"1985 12 head"`. */
  readonly taken: Set<string>;
  readonly report: PsidReport;
}

/**
 * Reads one year of a person: the head's or the spouse's variables of the family in which it lived
 * at the interview.
 *
 * @returns `undefined` if the person was not surveyed as one of these in that year; what was
 *   surveyed and left out is reported.
 */
export function readPersonYear(
  plan: YearPlan,
  own: Lookup,
  context: PersonYearContext,
): PersonYear | undefined {
  const { year, codes, variables } = plan;
  const { individual } = variables;
  const place = `${context.place}, ${year}`;
  const drop = (reason: string): undefined => {
    context.report.drop(reason, place);
    return undefined;
  };
  const interview = own(individual.interview!);
  if (interview === undefined || interview === 0) return undefined; // not in the survey that year
  const sequence = own(individual.sequence!) ?? 0;
  if (!context.isPresent(sequence)) {
    return drop("not living with the family at the interview (moved out, in an institution, dead)");
  }
  const relationship = own(individual.relationship!);
  const role = relationship === undefined ? undefined : codes.relationship.meaning(relationship);
  if (role === undefined) return drop("neither head nor spouse");
  const key = `${year} ${interview} ${role}`;
  if (context.taken.has(key)) return drop(`a family with a second ${role}`);
  const item = itemLookup(plan, interview, own);
  if (item === undefined) return drop("no row of the family in its family file");
  context.taken.add(key);

  const age = own(individual.age!);
  const birth = individual.born == null ? undefined : own(individual.born);
  const born = birth === undefined || context.isUnknown.born(birth) ? undefined : birth;
  const known = age === undefined || context.isUnknown.age(age) ? undefined : age;
  const years = known ?? (born === undefined ? undefined : year - born);
  if (years === undefined) return drop("age unknown");
  if (years < context.ages[0] || years > context.ages[1]) {
    return drop(`younger than ${context.ages[0]} or older than ${context.ages[1]}`);
  }
  const work = readWork(plan, (name) => item(`${role}.${name}`), drop);
  if (work === undefined) return undefined;
  const about = readBackground(plan, item, `${role}.race`, drop);
  const grade = own(individual.education!);
  const education = grade === undefined ? "missing" : codes.education.meaning(grade);
  if (education === undefined) {
    return drop(`an unknown code of ${individual.education}: ${grade}`);
  }
  return {
    record: { year, ...(education !== "missing" && { education }), ...work },
    ...about,
    // A year of birth that contradicts the age would date the whole career wrongly.
    ...(born !== undefined && (known === undefined || Math.abs(year - known - born) <= 2)
      ? { born }
      : known !== undefined && { born: year - known }),
  };
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
  drop: (reason: string) => undefined,
): Work | undefined {
  const code = item("status");
  const status = code === undefined ? "missing" : codes.status.meaning(code);
  if (status === undefined) return drop(`an unknown code of employment status: ${code}`);
  if (status === "missing") return drop("no employment status");
  if (status === "student") return { enrolled: true };
  if (status !== "employed") return { status };
  const occupation = item("occupation");
  if (occupation === undefined || codes.occupation.meaning(occupation) === "missing") {
    return { status };
  }
  if (!Number.isSafeInteger(occupation) || occupation < 0) {
    return drop(`an unknown code of occupation: ${occupation}`);
  }
  return { status, occupation: { code: String(occupation), coding: codes.coding } };
}

function readBackground(
  { codes, year }: YearPlan,
  item: (item: FamilyItem) => number | undefined,
  raceItem: FamilyItem,
  drop: (reason: string) => undefined,
): Pick<PersonYear, "ethnicity" | "region"> {
  const [raceCode, regionCode] = [item(raceItem), item("region")];
  const race = raceCode === undefined ? "missing" : codes.race.meaning(raceCode);
  const region = regionCode === undefined ? "missing" : codes.region.meaning(regionCode);
  // These are of the person, not of the year: another year may tell them.
  if (race === undefined) drop(`kept, but without race: an unknown code in ${year}: ${raceCode}`);
  if (region === undefined) {
    drop(`kept, but without region: an unknown code in ${year}: ${regionCode}`);
  }
  return {
    ...(race !== undefined && race !== "missing" && { ethnicity: race }),
    ...(region !== undefined && region !== "missing" && { region }),
  };
}
