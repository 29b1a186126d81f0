import type { Archive } from "../../../../data/archive/mod.ts";
import type { PsidMapping } from "../../../../data/survey/psid/mapping.ts";
import { type SETUP_KINDS, type Variable, writeSetup } from "../setup_files/write_setup.ts";

/** What the individual file says of a person in one year, in codes. */
export interface IndividualYear {
  readonly interview: number;
  readonly sequence: number;
  readonly relationship: number;
  readonly age: number;
  readonly education?: number;
  readonly born?: number;
}

/** A person of a made-up survey. */
export interface Individual {
  /** Interview number of 1968 and person number. */
  readonly id: readonly [number, number];
  readonly sex: number;
  readonly years: Readonly<Record<number, IndividualYear>>;
}

/** What a family file says of a head or a spouse, in codes. */
export interface Role {
  readonly status?: number;
  readonly occupation?: number;
  readonly race?: number;
}

/** A family of one year, in codes. */
export interface Family {
  readonly interview: number;
  readonly region?: number;
  readonly head: Role;
  readonly spouse?: Role;
}

/** A made-up survey. */
export interface Survey {
  readonly people: readonly Individual[];
  readonly families: Readonly<Record<number, readonly Family[]>>;
}

/** How the files of a download are written. */
export interface WriteOptions {
  readonly mapping: PsidMapping;
  /** Kind of setup file for each table in turn. */
  readonly kinds: readonly (typeof SETUP_KINDS)[number][];
  /** Folder of each table, as where several zips were unpacked. */
  readonly folder?: (stem: string) => string;
}

type Row = ReadonlyMap<string, number>;

/** Fields are wide enough for every code that the tests use. */
const WIDTH = 5;

/** Writes a table: its text and its setup file. */
export function writeTable(
  stem: string,
  names: readonly string[],
  rows: readonly Row[],
  kind: (typeof SETUP_KINDS)[number],
): Map<string, string> {
  const variables: Variable[] = [
    { name: `REL${stem.slice(0, 8)}`, width: 1, label: "RELEASE NUMBER" },
    ...names.map((name) => ({ name, width: WIDTH, label: `VARIABLE ${name}` })),
  ];
  const lines = rows.map(
    (row) => `1${names.map((name) => String(row.get(name) ?? 0).padStart(WIDTH)).join("")}`,
  );
  return new Map([
    [`${stem}.txt`, `${lines.join("\r\n")}\r\n`],
    [`${stem}.${kind}`, writeSetup(kind, variables, stem)],
  ]);
}

/** Writes an individual file and family files by year, as the PSID packages them. */
export function writePackages(survey: Survey, options: WriteOptions): Map<string, string> {
  const { mapping, kinds, folder = (stem) => `${stem.toLowerCase()}/` } = options;
  const years = yearsOf(survey);
  const tables = [
    {
      stem: "IND2021ER",
      names: individualNames(mapping, years),
      rows: individualRows(survey, mapping),
    },
    ...years.map((year) => ({
      stem: year < 1994 ? `FAM${year}` : `FAM${year}ER`,
      names: familyNames(mapping, year),
      rows: (survey.families[year] ?? []).map((family) => familyRow(mapping, year, family)),
    })),
  ];
  const files = new Map<string, string>();
  for (const [i, { stem, names, rows }] of tables.entries()) {
    const written = writeTable(stem, names, rows, kinds[i % kinds.length]!);
    for (const [name, text] of written) files.set(folder(stem) + name, text);
    files.set(`${folder(stem)}readme.txt`, "Nothing to read here.");
  }
  return files;
}

/** Writes one file with a person's and its families' variables side by side, as the Data Center does. */
export function writeCart(survey: Survey, { mapping, kinds }: WriteOptions): Map<string, string> {
  const years = yearsOf(survey);
  const names = [
    ...individualNames(mapping, years),
    ...years.flatMap((year) => familyNames(mapping, year)),
  ];
  const rows = individualRows(survey, mapping).map((row, i) => {
    const merged = new Map(row);
    for (const [year, { interview }] of Object.entries(survey.people[i]!.years)) {
      const family = survey.families[Number(year)]?.find((each) => each.interview === interview);
      if (family === undefined) continue;
      for (const [name, code] of familyRow(mapping, Number(year), family)) merged.set(name, code);
    }
    return merged;
  });
  return writeTable("J123456", names, rows, kinds[0]!);
}

/** Files in memory as a set of files. */
export function archiveOf(files: ReadonlyMap<string, string>, name = "download"): Archive {
  return {
    name,
    entries: [...files.keys()].map((entry) => ({ name: entry })),
    open: (entry) => new Blob([files.get(entry)!]).stream(),
  };
}

function yearsOf({ people, families }: Survey): number[] {
  const years = [
    ...people.flatMap((person) => Object.keys(person.years)),
    ...Object.keys(families),
  ];
  return [...new Set(years.map(Number))].toSorted((a, b) => a - b);
}

function individualNames(mapping: PsidMapping, years: readonly number[]): string[] {
  return [
    mapping.id.interview!,
    mapping.id.person!,
    mapping.sex.variable!,
    ...years.flatMap((year) => Object.values(mapping.years[year]!.individual) as string[]),
  ];
}

function individualRows({ people }: Survey, mapping: PsidMapping): Row[] {
  return people.map(({ id, sex, years }) => {
    const row = new Map([
      [mapping.id.interview!, id[0]],
      [mapping.id.person!, id[1]],
      [mapping.sex.variable!, sex],
    ]);
    for (const [year, codes] of Object.entries(years)) {
      const names = mapping.years[year]!.individual;
      for (const [key, code] of Object.entries(codes)) {
        const name = names[key as keyof typeof names];
        if (typeof name === "string") row.set(name, code as number);
      }
    }
    return row;
  });
}

function familyNames(mapping: PsidMapping, year: number): string[] {
  const { family, head, spouse } = mapping.years[year]!;
  return [...Object.values(family), ...Object.values(head), ...Object.values(spouse)] as string[];
}

function familyRow(mapping: PsidMapping, year: number, written: Family): Row {
  const { family, head, spouse } = mapping.years[year]!;
  const row = new Map([[family.interview!, written.interview]]);
  if (family.region != null) row.set(family.region, written.region ?? 0);
  for (const [names, codes] of [
    [head, written.head],
    [spouse, written.spouse ?? {}],
  ] as const) {
    for (const [key, code] of Object.entries(codes)) {
      const name = names[key as keyof typeof names];
      if (typeof name === "string") row.set(name, code as number);
    }
  }
  return row;
}
