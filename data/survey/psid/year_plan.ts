import type { Education } from "../../career.ts";
import { type Coding, CODINGS } from "../../crosswalk/coding.ts";
import type { ImportReport } from "../import_report.ts";
import { CodeTable } from "./code_table.ts";
import { type FamilyValues, readFamilies } from "./families.ts";
import { eraOf, type PsidMapping, type PsidYear } from "./mapping.ts";
import type { FixedWidthTable } from "./tables.ts";

/** Names of the variables of a family, in the order in which they are read. */
export const FAMILY_ITEMS = [
  "region",
  "head.status",
  "head.occupation",
  "head.race",
  "spouse.status",
  "spouse.occupation",
  "spouse.race",
] as const;

/** One of {@linkcode FAMILY_ITEMS}. */
export type FamilyItem = (typeof FAMILY_ITEMS)[number];

/** What the codes of a year mean. */
export interface YearCodes {
  readonly relationship: CodeTable<"head" | "spouse">;
  readonly status: CodeTable<
    "employed" | "unemployed" | "not_in_labor_force" | "student" | "missing"
  >;
  readonly education: CodeTable<Education | "missing">;
  readonly race: CodeTable<string>;
  readonly region: CodeTable<"northeast" | "northcentral" | "south" | "west" | "missing">;
  readonly occupation: CodeTable<"missing">;
  readonly coding: Coding;
}

/** How one year is read. */
export interface YearPlan {
  readonly year: number;
  readonly variables: PsidYear;
  readonly codes: YearCodes;
  /** Name of the variable of each item that the year has. */
  readonly items: ReadonlyMap<FamilyItem, string>;
  /** The families by interview number; `undefined` where their variables stand in a person's row. */
  readonly families?: ReadonlyMap<number, FamilyValues>;
}

/** What {@linkcode planYears} reads from. */
export interface PlanSources {
  readonly mapping: PsidMapping;
  readonly individuals: FixedWidthTable;
  readonly tables: readonly FixedWidthTable[];
  readonly report: ImportReport;
}

/**
 * Finds out how each year can be read, and reads the family files.
 *
 * A year is left out, and reported, where the download lacks it, or where its occupations are in a
 * classification without a crosswalk: to keep its other statuses alone would make everybody of that
 * year unemployed, a student or out of the labor force.
 *
 * @throws {SyntaxError} If a file that should have a variable lacks it, or a row does not parse.
 * @throws {RangeError} If no year is left.
 */
export async function planYears(sources: PlanSources): Promise<YearPlan[]> {
  const { mapping, report } = sources;
  const plans: YearPlan[] = [];
  const years = Object.keys(mapping.years).map(Number);
  for (const year of years.toSorted((a, b) => a - b)) {
    const { coding } = eraOf(mapping.codes.occupation, year);
    if (!isCoding(coding)) {
      report.add(
        "year",
        `all of it: no crosswalk from ${coding} to occ1990dd (there are ${CODINGS.join(", ")})`,
        String(year),
      );
      continue;
    }
    const plan = await planYear(year, coding, sources);
    if (plan !== undefined) plans.push(plan);
  }
  if (plans.length > 0) return plans;
  throw new RangeError(
    `Cannot import ${mapping.survey}: at least one mapped year must be in the download, got none ` +
      `(${report
        .entries()
        .map(({ reason, examples }) => `${examples.join(", ")}: ${reason}`)
        .join("; ")})`,
  );
}

function isCoding(text: string): text is Coding {
  return (CODINGS as readonly string[]).includes(text);
}

async function planYear(
  year: number,
  coding: Coding,
  { mapping, individuals, tables, report }: PlanSources,
): Promise<YearPlan | undefined> {
  const variables = mapping.years[year]!;
  const own = Object.values(variables.individual).filter((name) => name !== undefined) as string[];
  if (!individuals.layout.columns.has(variables.individual.interview!)) {
    report.add("year", "all of it: not in the individual file", String(year));
    return undefined;
  }
  requireColumns(individuals, own, year);
  const items = itemsOf(variables);
  const names = [...items.values()];
  const base = { year, variables, items, codes: codesOf(mapping, year, coding) };
  // A download from the Data Center has the family's variables in each person's row.
  if (names.every((name) => individuals.layout.columns.has(name))) return base;
  const interview = variables.family.interview!;
  const table = tables.find(({ layout }) => layout.columns.has(interview));
  if (table === undefined) {
    report.add("year", "all of it: no family file in the download", String(year));
    return undefined;
  }
  requireColumns(table, names, year);
  return { ...base, families: await readFamilies(table, interview, names) };
}

function itemsOf({ family, head, spouse }: PsidYear): Map<FamilyItem, string> {
  const named: Record<FamilyItem, string | null | undefined> = {
    region: family.region,
    "head.status": head.status,
    "head.occupation": head.occupation,
    "head.race": head.race,
    "spouse.status": spouse.status,
    "spouse.occupation": spouse.occupation,
    "spouse.race": spouse.race,
  };
  const items = new Map<FamilyItem, string>();
  for (const item of FAMILY_ITEMS) {
    const name = named[item];
    if (typeof name === "string") items.set(item, name);
  }
  return items;
}

function requireColumns(table: FixedWidthTable, names: readonly string[], year: number): void {
  const lacking = names.filter((name) => !table.layout.columns.has(name));
  if (lacking.length === 0) return;
  throw new SyntaxError(
    `Cannot read ${table.layout.file}: it must place the variables of ${year} that the mapping ` +
      `names, got none called ${lacking.join(", ")} (correct the mapping, or download them)`,
  );
}

function codesOf({ codes }: PsidMapping, year: number, coding: Coding): YearCodes {
  const { years: _r, ...relationship } = eraOf(codes.relationship, year);
  const { years: _s, ...status } = eraOf(codes.status, year);
  const { years: _e, ...education } = eraOf(codes.education, year);
  const { years: _g, ...region } = eraOf(codes.region, year);
  return {
    relationship: new CodeTable(relationship),
    status: new CodeTable(status),
    education: new CodeTable(education),
    race: new CodeTable(eraOf(codes.race, year).codes),
    region: new CodeTable(region),
    occupation: new CodeTable({ missing: eraOf(codes.occupation, year).missing }),
    coding,
  };
}
