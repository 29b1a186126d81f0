import { basename } from "node:path";
import type { ImportReport, PersonRecord } from "../../data/survey/mod.ts";
import {
  importTable,
  parquetTableRows,
  readTableRows,
  type TableFormat,
  type TableMapping,
  type TableRow,
} from "../../data/tables/mod.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { openFile } from "../platform/files.ts";
import { parquetFile } from "./careers_file.ts";
import type { FoundVariables } from "./import_report.ts";

/** A table, opened. */
interface OpenTable {
  readonly found: FoundVariables;
  people(): AsyncGenerator<PersonRecord, void, undefined>;
}

const FORMATS: readonly TableFormat[] = ["csv", "tsv", "jsonl"];

/**
 * Opens the one file of a generic table.
 *
 * @throws {CliError} With exit code 2 unless there is one file whose name tells how to read it;
 *   3 if it is missing.
 */
export async function openTable(
  paths: readonly string[],
  mapping: TableMapping,
  report: ImportReport,
): Promise<OpenTable> {
  const [path, second] = paths;
  if (path === undefined || second !== undefined) {
    throw new CliError(
      EXIT.usage,
      `Cannot import: a table must be one file (join several first), got ${paths.length}`,
    );
  }
  const rows = await openRows(path);
  const { shape, year, occupation } = mapping;
  const yearly = shape === "long" ? `a row a person-year, ${year}` : "a row a person";
  return {
    found: [
      ["table", basename(path)],
      ["shape", yearly],
      ["occupation", `${occupation.column}, ${occupation.coding}`],
    ],
    people: () => importTable(rows, { mapping, report }),
  };
}

async function openRows(path: string): Promise<AsyncIterable<TableRow>> {
  const file = basename(path);
  if (file.endsWith(".parquet")) return parquetTableRows(await parquetFile(path), { file });
  const format = FORMATS.find((each) => file.replace(/\.gz$/, "").endsWith(`.${each}`));
  if (format !== undefined) return readTableRows(await openFile(path), { format, file });
  throw new CliError(
    EXIT.usage,
    `Cannot read "${path}": its name must end in .parquet, or in .tsv, .csv or .jsonl, perhaps ` +
      `with .gz behind, got "${file}"`,
  );
}
