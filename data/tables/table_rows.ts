import { quote } from "../career_check.ts";
import { type DelimitedRecord, readCsv, readTsv } from "../delimited.ts";
import { readLines, syntaxError } from "../lines.ts";
import { parquetError, type ParquetSource, readParquetRows, repeatedName } from "./parquet_rows.ts";

/** A row of somebody's table, values as text, empty where there is none. */
export interface TableRow {
  /** Where it stands, for reports: `"people.csv:17"`. */
  readonly place: string;
  readonly values: ReadonlyMap<string, string>;
}

/** How a table is written as text. */
export type TableFormat = "csv" | "tsv" | "jsonl";

/**
 * Yields the rows of a table: CSV or TSV under a header, or a flat JSON object a line.
 *
 * @throws {SyntaxError} With file and line, if a row has more or fewer fields than the header, a
 *   column occurs twice, or a line is no flat object.
 */
export async function* readTableRows(
  stream: ReadableStream<Uint8Array>,
  { format, file }: { readonly format: TableFormat; readonly file: string },
): AsyncGenerator<TableRow, void, undefined> {
  if (format === "jsonl") {
    for await (const { line, text } of readLines(stream, { file })) {
      if (text.trim() !== "")
        yield { place: `${file}:${line}`, values: objectOf(text, file, line) };
    }
    return;
  }
  let header: readonly string[] | undefined;
  for await (const record of (format === "csv" ? readCsv : readTsv)(stream, { file })) {
    const { line, fields } = record;
    if (header === undefined) header = headerOf(record, file);
    else if (fields.length > 1 || fields[0] !== "") {
      if (fields.length !== header.length) {
        const problem = `a row must have ${header.length} fields as the header has, got ${fields.length}`;
        throw syntaxError(file, line, problem);
      }
      const values = new Map(header.map((name, i) => [name, fields[i] ?? ""]));
      yield { place: `${file}:${line}`, values };
    }
  }
}

/**
 * Yields the rows of a Parquet table, of its columns that hold plain values.
 *
 * @throws {SyntaxError} As `readParquetRows()`, and for values that are neither text nor numbers.
 */
export async function* parquetTableRows(
  source: ParquetSource,
  { file }: { readonly file: string },
): AsyncGenerator<TableRow, void, undefined> {
  for await (const { row, values } of readParquetRows(source, { file })) {
    const texts = new Map<string, string>();
    for (const [name, value] of values) {
      const text = textOf(value);
      if (text === undefined) {
        throw parquetError(file, `${quote(name)} must be text or a number, got another kind`, row);
      }
      texts.set(name, text);
    }
    yield { place: `${file}:${row}`, values: texts };
  }
}

function headerOf({ line, fields }: DelimitedRecord, file: string): readonly string[] {
  const twice = repeatedName(fields);
  if (twice === undefined) return fields;
  throw syntaxError(file, line, `a column must occur once, got ${quote(twice)} twice`);
}

function objectOf(text: string, file: string, line: number): Map<string, string> {
  const fail = (got: string): never => {
    throw syntaxError(
      file,
      line,
      `a line must be one JSON object of texts and numbers, got ${got}`,
    );
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return fail(quote(text));
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return fail(quote(text));
  const values = new Map<string, string>();
  for (const [key, value] of Object.entries(json)) {
    values.set(key, textOf(value) ?? fail(`another kind in ${quote(key)}`));
  }
  return values;
}

/** A plain value as text; a number as people write it, so that codes match however wide they are. */
function textOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    return Number.isNaN(value) ? "" : String(value);
  }
  return value instanceof Date ? value.toISOString() : undefined;
}
