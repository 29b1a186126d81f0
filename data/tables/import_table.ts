import { type Education, EDUCATION_LEVELS } from "../career.ts";
import { quote } from "../career_check.ts";
import type { ImportReport } from "../survey/import_report.ts";
import type { LaborForceStatus, PersonRecord, YearRecord } from "../survey/person_record.ts";
import { isYearly, type TableMapping, UNKNOWN } from "./table_mapping.ts";
import type { TableRow } from "./table_rows.ts";

/** How {@linkcode importTable} reads a table. */
export interface ImportTableOptions {
  readonly mapping: TableMapping;
  /** Counts rows and values that tell nothing. */
  readonly report: ImportReport;
}

/**
 * Reads the people of somebody's table: a row a person-year, or a row a person.
 *
 * Values that the mapping does not list tell nothing, and are counted in the report; so are rows
 * without an id or a year, and second rows of one year or one person. `buildCareers()` makes careers
 * of the people. Rows of a long table may stand in any order.
 *
 * Memory: all people of a long table; of a wide one, a row and the ids seen.
 *
 * @throws {RangeError} If the table lacks columns that the mapping names.
 */
export async function* importTable(
  rows: AsyncIterable<TableRow>,
  options: ImportTableOptions,
): AsyncGenerator<PersonRecord, void, undefined> {
  if (options.mapping.shape === "wide") yield* importWide(rows, options);
  else yield* importLong(rows, options);
}

async function* importLong(
  rows: AsyncIterable<TableRow>,
  { mapping, report }: ImportTableOptions,
): AsyncGenerator<PersonRecord, void, undefined> {
  const people = new Map<string, { person: Person; years: Map<number, YearRecord> }>();
  let isFirst = true;
  for await (const row of rows) {
    if (isFirst) checkColumns(row, fixedColumns(mapping));
    isFirst = false;
    const reader = new RowReader(row, report);
    const id = reader.text(mapping.id);
    const year = yearOf(reader.text(mapping.year ?? ""));
    if (id === "") report.add("year", "no id told", row.place);
    else if (year === undefined) report.add("year", "no year of four digits told", row.place);
    else {
      const known = people.get(id);
      const { person, years } = known ?? { person: personOf(reader, mapping), years: new Map() };
      if (known === undefined) people.set(id, { person, years });
      if (years.has(year)) report.add("year", "a second row of one person and year", row.place);
      else years.set(year, yearRecord(reader, { mapping, year, column: (name) => name }));
    }
  }
  for (const { person, years } of people.values()) {
    yield { ...person, years: [...years.values()].toSorted((a, b) => a.year - b.year) };
  }
}

async function* importWide(
  rows: AsyncIterable<TableRow>,
  { mapping, report }: ImportTableOptions,
): AsyncGenerator<PersonRecord, void, undefined> {
  const seen = new Set<string>();
  let isFirst = true;
  for await (const row of rows) {
    // Each line of JSON may leave out the years that it does not tell.
    const years = yearsIn(row, mapping);
    if (isFirst) {
      if (years.length === 0) throw noYears(row, mapping);
      checkColumns(
        row,
        fixedColumns(mapping).filter((name) => !isYearly(name)),
      );
      isFirst = false;
    }
    const reader = new RowReader(row, report);
    const person = personOf(reader, mapping);
    if (person.id === "") report.add("person", "no id told", row.place);
    else if (seen.has(person.id)) report.add("person", "a second row of one person", row.place);
    else {
      seen.add(person.id);
      yield {
        ...person,
        years: years.map((year) =>
          yearRecord(reader, { mapping, year, column: (name) => columnOf(name, year) }),
        ),
      };
    }
  }
}

type Person = Omit<PersonRecord, "years">;

/** The column of a year; one may write two digits of it, another four. */
function columnOf(name: string, year: number): string {
  const digits = String(year);
  return name.replace("{year}", digits).replace("{yy}", digits.slice(-2));
}

/** Two digits from here on are years of the last century. */
const PIVOT = 50;

/** Years that have an occupation, ascending. */
function yearsIn({ values }: TableRow, { occupation }: TableMapping): readonly number[] {
  const [before = "", after = ""] = occupation.column.split(/\{(?:year|yy)\}/);
  const digits = occupation.column.includes("{yy}") ? 2 : 4;
  const years = [...values.keys()].flatMap((name) => {
    if (!name.startsWith(before) || !name.endsWith(after)) return [];
    const written = name.slice(before.length, name.length - after.length);
    if (written.length !== digits || !/^\d+$/.test(written)) return [];
    const number = Number(written);
    const century = digits === 4 ? 0 : number < PIVOT ? 2000 : 1900;
    return [century + number];
  });
  return years.toSorted((a, b) => a - b);
}

function noYears({ values, place }: TableRow, { occupation }: TableMapping): RangeError {
  return new RangeError(
    `Cannot import ${place.replace(/:\d+$/, "")}: there must be columns ${occupation.column}, got ${columnsOf(values)}`,
  );
}

function fixedColumns({ year, id, gender, ethnicity, region, ...rest }: TableMapping): string[] {
  const { birth_year: birthYear, education, enrollment, occupation, status } = rest;
  const fields = [gender, ethnicity, region, education, enrollment, occupation, status];
  const names = [id, year, birthYear, ...fields.map((field) => field?.column)];
  return names.filter((name) => name !== undefined);
}

function checkColumns({ values, place }: TableRow, names: readonly string[]): void {
  const missing = names.filter((name) => !values.has(name));
  if (missing.length === 0) return;
  throw new RangeError(
    `Cannot import ${place.replace(/:\d+$/, "")}: the mapping's columns must be there, ` +
      `got none named ${missing.join(", ")} among ${columnsOf(values)}`,
  );
}

function columnsOf(values: ReadonlyMap<string, string>): string {
  const names = [...values.keys()];
  return names.slice(0, 20).join(", ") + (names.length > 20 ? ", …" : "");
}

function yearOf(text: string): number | undefined {
  return /^\d{4}$/.test(text) ? Number(text) : undefined;
}

function personOf(reader: RowReader, mapping: TableMapping): Person {
  const gender = reader.meaning("gender", mapping.gender);
  const ethnicity = reader.meaning("ethnicity", mapping.ethnicity);
  const region = mapping.region && reader.meaning("region", mapping.region);
  const birthYear = yearOf(reader.text(mapping.birth_year ?? ""));
  return {
    id: reader.text(mapping.id),
    place: reader.row.place,
    ...(gender !== undefined && { gender }),
    ...(ethnicity !== undefined && { ethnicity }),
    ...(region !== undefined && { region }),
    ...(birthYear !== undefined && { birthYear }),
  };
}

interface YearTask {
  readonly mapping: TableMapping;
  readonly year: number;
  /** The column of this year. */
  readonly column: (name: string) => string;
}

function yearRecord(reader: RowReader, { mapping, year, column }: YearTask): YearRecord {
  const told = <T>(
    what: string,
    field: { readonly column: string; readonly values: Values<T> } | undefined,
  ): T | undefined =>
    field && reader.meaning(what, { column: column(field.column), values: field.values });
  const { education: levels } = mapping;
  const education = told<Education>("education", { ...levels, values: levels.values ?? LEVELS });
  const enrolled = told("enrollment", mapping.enrollment);
  const status = told<LaborForceStatus>("status", mapping.status);
  const work = occupationOf(reader, mapping.occupation, column(mapping.occupation.column));
  return {
    year,
    ...(education !== undefined && { education }),
    ...(enrolled !== undefined && { enrolled }),
    ...(status !== undefined && { status }),
    ...work,
  };
}

const LEVELS: Readonly<Record<string, Education>> = {
  ...Object.fromEntries(EDUCATION_LEVELS.map((level) => [level, level])),
  "graduate degree": "any graduate",
};

function occupationOf(
  reader: RowReader,
  { coding, values }: TableMapping["occupation"],
  column: string,
): Pick<YearRecord, "occupation" | "enrolled" | "status"> {
  const code = reader.text(column);
  if (code === "") return {};
  if (!Object.hasOwn(values, code)) return { occupation: { code, coding } };
  const told = values[code];
  if (told === undefined || told === UNKNOWN) return {};
  return told === "student" ? { enrolled: true } : { status: told };
}

type Values<T> = Readonly<Record<string, T | typeof UNKNOWN>> | undefined;

/** The values of a row, and what they mean. */
class RowReader {
  readonly row: TableRow;
  readonly #report: ImportReport;

  constructor(row: TableRow, report: ImportReport) {
    this.row = row;
    this.#report = report;
  }

  /** A value without blanks around; empty where there is none. */
  text(column: string): string {
    return this.row.values.get(column)?.trim() ?? "";
  }

  /** What a value means, or undefined where it tells nothing, which the report counts. */
  meaning<T = string>(
    what: string,
    { column, values }: { readonly column: string; readonly values?: Values<T> },
  ): T | undefined {
    const text = this.text(column);
    if (text === "") return undefined;
    if (values === undefined) return text as T;
    const told = Object.hasOwn(values, text) ? values[text] : undefined;
    if (told === UNKNOWN) return undefined;
    if (told === undefined) {
      const reason = `${what}: value ${quote(text)}, which the mapping does not list`;
      this.#report.add("value", reason, `${this.row.place} (${column})`);
    }
    return told;
  }
}
