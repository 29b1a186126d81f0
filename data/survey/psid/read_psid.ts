import type { Archive } from "../../archive/mod.ts";
import { syntaxError } from "../../lines.ts";
import { ImportReport } from "../import_report.ts";
import type { PersonRecord } from "../person_record.ts";
import { CodeTable } from "./code_table.ts";
import type { PsidMapping } from "./mapping.ts";
import { type PersonYear, type PersonYearContext, readPersonYear } from "./person_year.ts";
import { findTables, type FixedWidthTable } from "./tables.ts";
import { planYears, type YearPlan } from "./year_plan.ts";

/** A PSID download, ready to be read. */
export interface PsidSurvey {
  /** Years that are read, in ascending order. */
  readonly years: readonly number[];
  /** Reads the people who were head or spouse in some year, in the order of the individual file. */
  people(): AsyncGenerator<PersonRecord, void, undefined>;
}

/**
 * Opens a PSID download: the cross-year individual file and the family files, each a fixed-width
 * `.txt` with a setup file of SAS, SPSS or Stata; or one file of the Data Center with both.
 *
 * A person's year takes the head's or the spouse's variables of the family whose interview number
 * the individual file gives for that year, if the sequence number says that the person lived there
 * and the relationship that it was one of the two. Families are kept in memory (some 9,000 a year),
 * people are streamed.
 *
 * @param archive The download, unpacked or as a zip.
 * @param mapping As {@linkcode parsePsidMapping} gives it.
 * @param report Counts what is left out.
 * @throws {SyntaxError} If a file contradicts its setup file, or a row does not parse, naming file
 *   and line.
 * @throws {RangeError} If the individual file or all years are missing.
 */
export async function openPsid(
  archive: Archive,
  mapping: PsidMapping,
  report: ImportReport = new ImportReport(),
): Promise<PsidSurvey> {
  const tables = await findTables(archive);
  const individuals = individualTable(tables, mapping, archive.name);
  const plans = await planYears({ mapping, individuals, tables, report });
  return {
    years: plans.map(({ year }) => year),
    people: () => readPeople({ individuals, plans, mapping, report }),
  };
}

function individualTable(
  tables: readonly FixedWidthTable[],
  { id, sex, survey }: PsidMapping,
  archive: string,
): FixedWidthTable {
  const names = [id.interview!, id.person!, sex.variable!];
  const found = tables.filter(({ layout }) => names.every((name) => layout.columns.has(name)));
  const [table, second] = found;
  if (table === undefined) {
    throw new RangeError(
      `Cannot import ${survey}: a file with ${names.join(", ")} must be in "${archive}" ` +
        `(the cross-year individual file), got ${tables.map(({ file }) => file).join(", ")}`,
    );
  }
  if (second === undefined) return table;
  throw new RangeError(
    `Cannot import ${survey}: there must be one individual file, got ${table.file} and ` +
      `${second.file} (keep the newer one)`,
  );
}

interface Sources {
  readonly individuals: FixedWidthTable;
  readonly plans: readonly YearPlan[];
  readonly mapping: PsidMapping;
  readonly report: ImportReport;
}

async function* readPeople(sources: Sources): AsyncGenerator<PersonRecord, void, undefined> {
  const { individuals, plans, mapping } = sources;
  const { id, sex } = mapping;
  const columns = columnsOf(sources);
  const indexOf = new Map(columns.map((name, index) => [name, index]));
  const sexes = new CodeTable(sex.codes);
  const shared = sharedContext(sources);
  const lineOfId = new Map<number, number>();
  for await (const { line, values } of individuals.records(columns)) {
    const own = (name: string): number | undefined => values[indexOf.get(name)!];
    const number = idOf(own(id.interview!), own(id.person!));
    if (number === undefined) {
      throw syntaxError(
        individuals.file,
        line,
        `"${id.interview}" and "${id.person}" must be whole numbers, got ` +
          `${own(id.interview!) ?? "a blank"} and ${own(id.person!) ?? "a blank"}`,
      );
    }
    const earlier = lineOfId.get(number);
    if (earlier !== undefined) {
      throw syntaxError(
        individuals.file,
        line,
        `a person must stand in one row, got ${number} as on line ${earlier}`,
      );
    }
    lineOfId.set(number, line);
    const context = { ...shared, place: `${individuals.file}, line ${line}` };
    const years = plans.flatMap((plan) => readPersonYear(plan, own, context) ?? []);
    if (!years.some(({ counts }) => counts)) continue; // never head or spouse at an age that counts
    const code = own(sex.variable!);
    const gender = code === undefined ? undefined : sexes.meaning(code);
    yield personOf(String(number), context.place, years, gender);
  }
}

/** Person number 68 has three digits: the two numbers side by side are the person's id. */
function idOf(interview: number | undefined, person: number | undefined): number | undefined {
  if (interview === undefined || person === undefined) return undefined;
  const valid =
    Number.isSafeInteger(interview) &&
    interview > 0 &&
    interview < 1e6 &&
    Number.isSafeInteger(person) &&
    person > 0 &&
    person < 1000;
  return valid ? interview * 1000 + person : undefined;
}

/** Every column of the individual file that some year needs, once. */
function columnsOf({ plans, mapping: { id, sex } }: Sources): string[] {
  const names = new Set([id.interview!, id.person!, sex.variable!]);
  for (const { variables, items, families } of plans) {
    for (const name of Object.values(variables.individual)) if (name != null) names.add(name);
    if (families === undefined) for (const name of items.values()) names.add(name);
  }
  return [...names];
}

function sharedContext({ mapping, report }: Sources): Omit<PersonYearContext, "place"> {
  const within = (list: PsidMapping["present"]): ((code: number) => boolean) => {
    const table = new CodeTable({ within: list });
    return (code) => table.meaning(code) === "within";
  };
  return {
    ages: mapping.ages,
    isPresent: within(mapping.present),
    isUnknown: { age: within(mapping.unknown.age), born: within(mapping.unknown.born) },
    taken: new Set(),
    report,
  };
}

/** What does not change is what the first year says that tells it. */
function personOf(
  id: string,
  place: string,
  years: readonly PersonYear[],
  gender: "female" | "male" | undefined,
): PersonRecord {
  const ethnicity = years.find((year) => year.ethnicity !== undefined)?.ethnicity;
  const region = years.find((year) => year.region !== undefined)?.region;
  const birthYear =
    years.find(({ born }) => born !== undefined)?.born ??
    years.find(({ bornByAge }) => bornByAge !== undefined)?.bornByAge;
  return {
    id,
    place,
    ...(gender !== undefined && { gender }),
    ...(ethnicity !== undefined && { ethnicity }),
    ...(region !== undefined && { region }),
    ...(birthYear !== undefined && { birthYear }),
    years: years.map(({ record }) => record),
  };
}
