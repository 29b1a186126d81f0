import { type Archive, joinArchives, openInflated } from "../../archive/mod.ts";
import { quote } from "../../career_check.ts";
import { syntaxError } from "../../lines.ts";
import type { SurveyRow, SurveyTable, SurveyVariable } from "../survey_table.ts";
import { readCdb } from "./cdb.ts";
import type { CodebookEntry } from "./codebook.ts";
import { type ArchiveFile, type DataFile, openCsv, openDictionary } from "./data_file.ts";
import { readSdf } from "./sdf.ts";

/** A download of the NLS Investigator as a table, and what it is made of. */
export interface NlsTable extends SurveyTable {
  /** Names of the files with values, and of the codebooks. */
  readonly files: { readonly data: readonly string[]; readonly codebooks: readonly string[] };
}

/**
 * Opens downloads of the NLS Investigator, as they come: extracts as `.csv`, or as `.dct` with or
 * without `.dat`, each gzipped or not; short descriptions (`.sdf`) and codebooks (`.cdb`), which
 * give variables their years and questions. Several extracts are one table, joined by the id. An
 * extract that is there in two forms is read from its `.csv`.
 *
 * @param archives Folders, zips and files that together hold the download.
 * @throws {SyntaxError} If there is no extract, or a header or codebook does not parse.
 */
export async function openNlsTable(archives: readonly Archive[]): Promise<NlsTable> {
  const name = archives.map((archive) => archive.name).join(", ");
  // Every download of the Investigator has a "default.csv": joined, their names differ.
  const visible = archives.map((each) => ({ ...each, entries: each.entries.filter(isVisible) }));
  const archive = joinArchives(visible);
  const files = archive.entries.map((entry) => ({ archive, name: entry.name }));
  const data = await openDataFiles(files);
  if (data.length === 0) {
    throw new SyntaxError(
      `Cannot read "${name}": it must hold an extract (.csv, .dat with .dct, or .dct), got ${
        files
          .map((file) => file.name)
          .slice(0, 5)
          .join(", ") || "no files"
      }`,
    );
  }
  const codebooks = files.filter((file) => ["sdf", "cdb"].includes(kindOf(file.name)));
  const entries = await readCodebooks(codebooks);
  const variables = data.flatMap((file) =>
    file.columns.map((column) => variableOf(column, file, entries.get(column))),
  );
  return {
    name,
    variables,
    files: { data: data.map((file) => file.name), codebooks: codebooks.map((file) => file.name) },
    rows: (wanted, id) => joinedRows(data, wanted, id),
  };
}

/** What operating systems leave in zips is none of the download. */
function isVisible({ name }: { readonly name: string }): boolean {
  return !/(^|\/)(__MACOSX\/|\.)/.test(name);
}

/** What a file is by its name, gzipped or not: `"csv"`. */
function kindOf(name: string): string {
  return /\.([a-z]+)$/i.exec(name.replace(/\.gz$/i, ""))?.[1]?.toLowerCase() ?? "";
}

/** A file's name without its kind, so that `a.dct` finds `a.dat`. */
function stemOf(name: string): string {
  return name.replace(/\.gz$/i, "").replace(/\.[a-z]+$/i, "");
}

async function openDataFiles(files: readonly ArchiveFile[]): Promise<DataFile[]> {
  const opened: DataFile[] = [];
  const isCsv = (file: ArchiveFile): boolean => kindOf(file.name) === "csv";
  const stems = new Set(files.filter(isCsv).map(({ name }) => stemOf(name)));
  for (const file of files.filter(isCsv)) opened.push(await openCsv(file));
  for (const file of files.filter(({ name }) => kindOf(name) === "dct")) {
    if (stems.has(stemOf(file.name))) continue;
    const dat = files.find(
      ({ name }) => kindOf(name) === "dat" && stemOf(name) === stemOf(file.name),
    );
    opened.push(await openDictionary(file, dat));
    stems.add(stemOf(file.name));
  }
  const orphan = files.find(({ name }) => kindOf(name) === "dat" && !stems.has(stemOf(name)));
  if (orphan !== undefined) {
    throw new SyntaxError(
      `Cannot read "${orphan.name}": its dictionary ${stemOf(orphan.name)}.dct must be beside it, ` +
        "got none (download it with the Stata dictionary, or as .csv)",
    );
  }
  return opened;
}

async function readCodebooks(
  files: readonly ArchiveFile[],
): Promise<ReadonlyMap<string, CodebookEntry>> {
  const entries = new Map<string, CodebookEntry>();
  for (const { archive, name } of files) {
    const read = kindOf(name) === "cdb" ? readCdb : readSdf;
    for (const entry of await read(openInflated(archive, name), name)) {
      const earlier = entries.get(entry.reference);
      const labels = entry.labels ?? earlier?.labels;
      entries.set(entry.reference, { ...entry, ...(labels !== undefined && { labels }) });
    }
  }
  return entries;
}

function variableOf(
  column: string,
  { name: file }: DataFile,
  entry: CodebookEntry | undefined,
): SurveyVariable {
  if (entry === undefined) return { name: column, file };
  const { year, question, description, labels } = entry;
  return {
    name: column,
    file,
    question,
    description,
    ...(year !== undefined && { year }),
    ...(labels !== undefined && { labels }),
  };
}

/** The columns that are wanted of one file. */
interface Part {
  readonly file: DataFile;
  readonly idColumn: number;
  /** Where each value stands in the file, and in the joined row. */
  readonly places: readonly { readonly column: number; readonly target: number }[];
}

/** A person's values of one file. */
interface PartRow {
  readonly id: string;
  readonly line: number;
  /** In the order of the part's places. */
  readonly values: readonly string[];
}

/**
 * All files side by side. The first is streamed; of the others, what is wanted is held as one
 * string a person. People that the first lacks come last.
 */
async function* joinedRows(
  data: readonly DataFile[],
  wanted: readonly SurveyVariable[],
  id: SurveyVariable,
): AsyncGenerator<SurveyRow, void, undefined> {
  const parts = data
    .map((file) => partOf(file, wanted, id))
    .filter((part): part is Part => part !== undefined);
  const [first, ...others] = parts;
  if (first === undefined) return;
  const held: { part: Part; people: Map<string, string> }[] = [];
  for (const part of others) held.push({ part, people: await holdPeople(part) });
  const rowOf = (person: string, begin: { part: Part; row: PartRow }): SurveyRow => {
    const values = Array<string | undefined>(wanted.length).fill(undefined);
    place(values, begin.part, begin.row.values);
    for (const { part, people } of held) {
      const packed = people.get(person);
      if (packed === undefined) continue;
      people.delete(person);
      place(values, part, unpack(packed).values);
    }
    return { place: `${begin.part.file.name}:${begin.row.line}`, values };
  };
  for await (const row of partRows(first)) yield rowOf(row.id, { part: first, row });
  for (const { part, people } of held) {
    for (const [person, packed] of people) {
      people.delete(person);
      yield rowOf(person, { part, row: { id: person, ...unpack(packed) } });
    }
  }
}

function place(
  values: (string | undefined)[],
  { places }: Part,
  partValues: readonly string[],
): void {
  for (const [i, { target }] of places.entries()) values[target] = partValues[i];
}

/** What is wanted of a file; undefined where nothing is. */
function partOf(
  file: DataFile,
  wanted: readonly SurveyVariable[],
  id: SurveyVariable,
): Part | undefined {
  const places = wanted.flatMap((variable, target) =>
    variable.file === file.name ? [{ column: file.columns.indexOf(variable.name), target }] : [],
  );
  if (places.length === 0) return undefined;
  const idColumn = file.columns.indexOf(id.name);
  if (idColumn < 0) {
    throw syntaxError(
      file.name,
      1,
      `the columns must have the id ${quote(id.name)} that joins extracts, got none ` +
        "(add it to the tag set, and download again)",
    );
  }
  return { file, idColumn, places };
}

async function holdPeople(part: Part): Promise<Map<string, string>> {
  const people = new Map<string, string>();
  for await (const { id, line, values } of partRows(part)) {
    people.set(id, [line, ...values].join(" "));
  }
  return people;
}

function unpack(packed: string): { line: number; values: string[] } {
  const [line, ...values] = packed.split(" ");
  return { line: Number(line), values };
}

/** The wanted values of a file's people, each a number; ids that come twice are refused. */
async function* partRows(part: Part): AsyncGenerator<PartRow, void, undefined> {
  const { file, idColumn, places } = part;
  const lineOfId = new Map<string, number>();
  for await (const { line, fields } of file.records()) {
    const fail = (problem: string): never => {
      throw syntaxError(file.name, line, problem);
    };
    const id = fields[idColumn]!.trim();
    if (!/^\d{1,15}$/.test(id)) fail(`the id must be a whole number, got ${quote(id)}`);
    const earlier = lineOfId.get(id);
    if (earlier !== undefined) {
      fail(`an id must occur once in a file, got ${id} as on line ${earlier}`);
    }
    lineOfId.set(id, line);
    const values = places.map(({ column }) => {
      const value = fields[column]!.trim();
      if (!/^-?\d+(\.\d+)?$/.test(value) && value !== "") {
        fail(`${file.columns[column]} must be a number, got ${quote(value)}`);
      }
      return value;
    });
    yield { id, line, values };
  }
}
