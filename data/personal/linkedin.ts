import { type Archive, singleFile } from "../archive/archive.ts";
import { quote } from "../career_check.ts";
import { type DelimitedRecord, readCsv } from "../delimited.ts";
import { syntaxError } from "../lines.ts";
import { educationOfSchooling } from "./degree_words.ts";
import {
  HistoryBuilder,
  MAX_ENTRIES,
  type PersonalHistory,
  plainText,
  readDate,
  type YearMonth,
} from "./personal_history.ts";

/** The tables of an export that tell of a career, and the columns that each must have. */
const TABLES = {
  positions: {
    file: "positions.csv",
    columns: ["Company Name", "Title", "Started On", "Finished On"],
  },
  education: { file: "education.csv", columns: ["School Name", "Start Date", "End Date"] },
} as const;

type TableName = keyof typeof TABLES;

/** Records before the header: notes that some exports begin with. */
const MAX_NOTES = 20;

/**
 * Reads jobs and schools of a LinkedIn data export: `Positions.csv` and `Education.csv`, in whatever
 * folder. No other file of the export is opened.
 *
 * @throws {SyntaxError} If there is no `Positions.csv`, or a table is damaged.
 */
export async function readLinkedInExport(archive: Archive): Promise<PersonalHistory> {
  const find = (table: TableName): string | undefined =>
    archive.entries.find(({ name }) => {
      const base = name.slice(name.lastIndexOf("/") + 1);
      return base.toLowerCase() === TABLES[table].file;
    })?.name;
  const positions = find("positions");
  if (positions === undefined) {
    const names = archive.entries.map(({ name }) => name);
    throw new SyntaxError(
      `Cannot read ${archive.name}: a LinkedIn export must hold Positions.csv, got ${names.length === 1 ? "the file" : `${names.length} files`} ` +
        `${quote(names.join(", "))} (ask LinkedIn for a copy of your data with "Positions" in it)`,
    );
  }
  const builder = new HistoryBuilder();
  const stream = (name: string): ReadableStream<Uint8Array> => archive.open(name);
  await addTable(builder, "positions", { file: positions, stream: stream(positions) });
  const education = find("education");
  if (education !== undefined) {
    await addTable(builder, "education", { file: education, stream: stream(education) });
  } else {
    builder.leaveOut(archive.name, "the export has no Education.csv, so it tells of no school");
  }
  return builder.build();
}

/**
 * Reads a table of a LinkedIn export on its own.
 *
 * @param table Which, as {@linkcode linkedInTable} tells it.
 * @throws {SyntaxError} If it is damaged, with file and line.
 */
export async function readLinkedInTable(
  stream: ReadableStream<Uint8Array>,
  { file, table }: { readonly file: string; readonly table: TableName },
): Promise<PersonalHistory> {
  const builder = new HistoryBuilder();
  const archive = singleFile(file, () => stream);
  await addTable(builder, table, { file, stream: archive.open(file) });
  return builder.build();
}

/** Which table of an export a text begins, by the names of its columns. */
export function linkedInTable(text: string): TableName | undefined {
  const lines = text.split(/\r?\n/).slice(0, MAX_NOTES);
  return (["positions", "education"] as const).find((table) =>
    lines.some((line) => TABLES[table].columns.every((column) => line.includes(column))),
  );
}

interface TableSource {
  readonly file: string;
  readonly stream: ReadableStream<Uint8Array>;
}

async function addTable(
  builder: HistoryBuilder,
  table: TableName,
  { file, stream }: TableSource,
): Promise<void> {
  const { columns } = TABLES[table];
  let header: ReadonlyMap<string, number> | undefined;
  let [numNotes, numRows, lastLine] = [0, 0, 1];
  for await (const record of readCsv(stream, { file })) {
    const { line, fields } = record;
    lastLine = line;
    if (header === undefined) {
      const names = new Map(fields.map((name, i) => [name.trim(), i]));
      if (columns.every((column) => names.has(column))) header = names;
      else if (++numNotes > MAX_NOTES) break;
    } else if (fields.some((field) => field.trim() !== "")) {
      if (++numRows > 2 * MAX_ENTRIES) {
        builder.leaveOut(
          `${file}, line ${line}`,
          "all rows from here on are left out, as there are too many",
        );
        break;
      }
      addRecord(builder, { table, file, header, record });
    }
  }
  if (header === undefined) {
    throw syntaxError(
      file,
      lastLine,
      `a header must name the columns ${columns.join(", ")}, got none among the first ${MAX_NOTES} rows`,
    );
  }
}

interface PlacedRecord {
  readonly table: TableName;
  readonly file: string;
  readonly header: ReadonlyMap<string, number>;
  readonly record: DelimitedRecord;
}

function addRecord(builder: HistoryBuilder, { table, file, header, record }: PlacedRecord): void {
  const { line, fields } = record;
  const place = `${file}, line ${line}`;
  const text = (column: string): string => plainText(fields[header.get(column) ?? -1] ?? "");
  const date = (column: string): { date?: YearMonth } | undefined => {
    const read = readDate(text(column));
    if (!("problem" in read)) return read;
    builder.leaveOut(place, `left out: ${column}: ${read.problem}`);
    return undefined;
  };
  const [beginColumn, endColumn] =
    table === "positions"
      ? (["Started On", "Finished On"] as const)
      : (["Start Date", "End Date"] as const);
  const [begin, end] = [date(beginColumn), date(endColumn)];
  if (begin === undefined || end === undefined) return;
  const dates = {
    ...(begin.date !== undefined && { begin: begin.date }),
    ...(end.date !== undefined && { end: end.date }),
    line,
  };
  if (table === "education") {
    const [degree, school, notes] = [text("Degree Name"), text("School Name"), text("Notes")];
    const level = educationOfSchooling(`${degree} ${isAboutEnd(notes) ? notes : ""}`, { school });
    const words = [degree, school].filter((part) => part !== "").join(", ");
    builder.addSchooling(place, { text: words, ...(level !== undefined && { level }), ...dates });
  } else if (begin.date === undefined) {
    builder.leaveOut(place, 'left out: a job must have a month or year in "Started On", got none');
  } else {
    const employer = text("Company Name");
    builder.addPosition(place, {
      title: text("Title"),
      ...(employer !== "" && { employer }),
      ...dates,
      begin: begin.date,
    });
  }
}

/** Whether notes on a school say that it was left. */
function isAboutEnd(notes: string): boolean {
  return /\b(?:dropped out|did not (?:finish|complete|graduate)|not completed|unfinished)\b/i.test(
    notes,
  );
}
