import { type Archive, openInflated } from "../../archive/mod.ts";
import { quote } from "../../career_check.ts";
import { type DelimitedRecord, readCsv } from "../../delimited.ts";
import { readLines, syntaxError } from "../../lines.ts";
import { columnName } from "./codebook.ts";
import { readDictionary } from "./dct.ts";

/** A file of values: a row a person. */
export interface DataFile {
  /** Path within its archive. */
  readonly name: string;
  readonly columns: readonly string[];
  /** Reads its rows, each with as many fields as there are columns. */
  records(): AsyncGenerator<DelimitedRecord, void, undefined>;
}

/** A file within an archive. */
export interface ArchiveFile {
  readonly archive: Archive;
  readonly name: string;
}

/** Longest row: an extract of all variables has some 100,000 of them. */
const MAX_LINE_LENGTH = 2 ** 22;

/**
 * Opens a `.csv`: its first row names the columns.
 *
 * @throws {SyntaxError} If the file is empty, or a column is named twice.
 */
export async function openCsv({ archive, name }: ArchiveFile): Promise<DataFile> {
  const read = () =>
    readCsv(openInflated(archive, name), { file: name, maxLineLength: MAX_LINE_LENGTH });
  const records = read();
  const { done, value } = await records.next();
  await records.return();
  if (done === true) throw syntaxError(name, 1, "the first row must name the columns, got no row");
  const columns = value.fields.map(columnName);
  checkColumns(columns, name, value.line);
  return {
    name,
    columns,
    async *records() {
      let isHeader = true;
      for await (const record of read()) {
        if (isHeader) isHeader = false;
        else if (record.fields.length > 1 || record.fields[0] !== "" || columns.length === 1) {
          yield checked(record, columns, name);
        }
      }
    },
  };
}

/**
 * Opens a `.dct`, and the `.dat` that it describes or the data that stand in it.
 *
 * @param data The `.dat`, where there is one.
 * @throws {SyntaxError} If the dictionary is none of the NLS, or names a column twice.
 */
export async function openDictionary(
  { archive, name }: ArchiveFile,
  data?: ArchiveFile,
): Promise<DataFile> {
  const readFrom = (file: ArchiveFile) =>
    readLines(openInflated(file.archive, file.name), {
      file: file.name,
      maxLineLength: MAX_LINE_LENGTH,
    });
  const lines = readFrom({ archive, name });
  const { columns, lastLine } = await readDictionary(lines, name);
  await lines.return();
  checkColumns(columns, name, lastLine);
  return {
    name: data?.name ?? name,
    columns,
    async *records() {
      for await (const { line, text } of readFrom(data ?? { archive, name })) {
        if ((data === undefined && line <= lastLine) || text.trim() === "") continue;
        yield checked({ line, fields: text.trim().split(/\s+/) }, columns, data?.name ?? name);
      }
    },
  };
}

function checked(
  record: DelimitedRecord,
  columns: readonly string[],
  file: string,
): DelimitedRecord {
  if (record.fields.length === columns.length) return record;
  throw syntaxError(
    file,
    record.line,
    `a row must have ${columns.length} values as there are columns, got ${record.fields.length}`,
  );
}

function checkColumns(columns: readonly string[], file: string, line: number): void {
  const seen = new Set<string>();
  for (const column of columns) {
    if (column === "") throw syntaxError(file, line, "a column must have a name, got none");
    if (seen.has(column)) {
      throw syntaxError(file, line, `a column must occur once, got ${quote(column)} twice`);
    }
    seen.add(column);
  }
}
