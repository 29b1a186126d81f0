import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  type RowGroup,
  type SchemaElement,
  snappyUncompress,
} from "hyparquet";
import { gunzipSync } from "fflate";
import { quote } from "../career_check.ts";
import { checkPages } from "./parquet_pages.ts";

/** A Parquet file: its length, and its bytes on demand; an `ArrayBuffer` is one. */
export type ParquetSource = AsyncBuffer;

/** How {@linkcode readParquetRows} reads. */
export interface ParquetRowsOptions {
  /** Name of the file, for errors. */
  readonly file: string;
  /** Columns to read; each must be there and hold plain values. @default all that hold plain values */
  readonly columns?: readonly string[];
  /** Columns to read where the file has them. @default none */
  readonly optional?: readonly string[];
  /** Most rows of a file. @default {33_554_432} */
  readonly maxRows?: number;
}

/** One row: values by column, null where there is none. */
export interface ParquetRow {
  /** Number of the row, from 1. */
  readonly row: number;
  readonly values: ReadonlyMap<string, unknown>;
}

const MAX_ROWS = 2 ** 25;

/** Most rows of a row group, which is decoded as a whole. Programs write about a million at most. */
const MAX_GROUP_ROWS = 2 ** 22;

/** Most bytes of a page, or of a row group's columns, once decompressed. */
const MAX_PAGE_BYTES = 2 ** 28;
const MAX_GROUP_BYTES = 2 ** 30;

/** Fewest bytes that end a file: the length of the metadata, and four letters. */
const MIN_BYTES = 12;

/** A `SyntaxError` that names the file, and the row where there is one. */
export function parquetError(file: string, problem: string, row?: number): SyntaxError {
  const place = row === undefined ? file : `${file}, row ${row}`;
  return new SyntaxError(`Cannot read ${place}: ${problem}`);
}

/**
 * Yields the rows of a Parquet file, compressed by Snappy, gzip or not at all.
 *
 * What the file says of itself is checked before anything is decoded: counts of rows that add up,
 * sizes within a budget. Memory: one row group of the columns read.
 *
 * @throws {SyntaxError} Naming the file, if it is no Parquet file, is damaged, lacks a column, or
 *   is larger once unpacked than the limits here.
 */
export async function* readParquetRows(
  source: ParquetSource,
  options: ParquetRowsOptions,
): AsyncGenerator<ParquetRow, void, undefined> {
  const { file, maxRows = MAX_ROWS } = options;
  const metadata = await metadataOf(source, file);
  const columns = await guarded(file, () => {
    checkCounts(metadata, { file, maxRows });
    const chosen = chosenColumns(metadata, options);
    for (const group of metadata.row_groups) checkBytes(group, chosen, file);
    return chosen;
  });
  let row = 0;
  for (const group of metadata.row_groups) {
    const count = Number(group.num_rows);
    await guarded(file, () => checkColumns(source, { metadata, group, columns, file }));
    const rows = await readGroup(source, { metadata, columns, file, rowStart: row, count });
    for (const cells of rows) {
      row += 1;
      yield { row, values: new Map(columns.map((name, i) => [name, cells[i] ?? null])) };
    }
  }
}

async function metadataOf(source: ParquetSource, file: string): Promise<FileMetaData> {
  if (source.byteLength < MIN_BYTES) {
    throw parquetError(file, `it must be a Parquet file, got ${source.byteLength} bytes`);
  }
  const end = await source.slice(source.byteLength - 4, source.byteLength);
  const mark = new TextDecoder().decode(new Uint8Array(end));
  if (mark !== "PAR1") {
    throw parquetError(
      file,
      `it must be a whole Parquet file that ends in "PAR1", got ${quote(mark)}`,
    );
  }
  return guarded(file, () => parquetMetadataAsync(source, { geoparquet: false }));
}

function checkCounts(
  { num_rows, row_groups }: FileMetaData,
  { file, maxRows }: { readonly file: string; readonly maxRows: number },
): void {
  const counts = row_groups.map((group) => group.num_rows);
  const isCount = (n: unknown): n is bigint => typeof n === "bigint" && n >= 0n;
  if (!isCount(num_rows) || !counts.every(isCount)) {
    throw parquetError(file, "counts of rows must be whole numbers from 0, got others");
  }
  const sum = counts.reduce((total, count) => total + count, 0n);
  if (sum !== num_rows) {
    throw parquetError(file, `its row groups must have its ${num_rows} rows, got ${sum}`);
  }
  if (num_rows > BigInt(maxRows)) {
    throw parquetError(file, `it may have at most ${maxRows} rows, got ${num_rows}`);
  }
  const largest = counts.find((count) => count > BigInt(MAX_GROUP_ROWS));
  if (largest !== undefined) {
    throw parquetError(
      file,
      `a row group may have at most ${MAX_GROUP_ROWS} rows (write it again with smaller ones), got ${largest}`,
    );
  }
}

/** The columns to read, in the order asked for. */
function chosenColumns({ schema }: FileMetaData, options: ParquetRowsOptions): string[] {
  const { file, columns, optional = [] } = options;
  const top = topColumns(schema, file);
  const plain = top.filter(({ isPlain }) => isPlain).map(({ name }) => name);
  const names = top.map(({ name }) => name);
  const repeated = repeatedName(names);
  if (repeated !== undefined) {
    throw parquetError(file, `a column must occur once, got ${quote(repeated)} twice`);
  }
  const missing = (columns ?? []).filter((name) => !names.includes(name));
  if (missing.length > 0) {
    throw parquetError(
      file,
      `it must have the columns ${(columns ?? []).join(", ")}, got none named ${missing.join(", ")}`,
    );
  }
  const wanted =
    columns === undefined
      ? plain
      : [...columns, ...optional.filter((name) => names.includes(name))];
  const nested = wanted.find((name) => !plain.includes(name));
  if (nested !== undefined) {
    throw parquetError(
      file,
      `the column ${quote(nested)} must hold plain values, got lists or records`,
    );
  }
  return wanted;
}

/** The columns below the root of a schema, which lists its tree depth first. */
function topColumns(
  schema: readonly SchemaElement[],
  file: string,
): { readonly name: string; readonly isPlain: boolean; readonly isOptional: boolean }[] {
  const columns: { name: string; isPlain: boolean; isOptional: boolean }[] = [];
  let at = 1;
  const skip = (depth: number): void => {
    const element = schema[at++];
    if (element === undefined || depth > 32)
      throw parquetError(file, "its schema must be a tree, got less");
    for (let i = 0; i < (element.num_children ?? 0); i++) skip(depth + 1);
  };
  while (at < schema.length) {
    const { name, num_children, repetition_type } = schema[at] as SchemaElement;
    columns.push({
      name,
      isPlain: num_children === undefined && repetition_type !== "REPEATED",
      isOptional: repetition_type === "OPTIONAL",
    });
    skip(1);
  }
  return columns;
}

function checkBytes(group: RowGroup, columns: readonly string[], file: string): void {
  let bytes = 0n;
  for (const { meta_data: column, file_path: elsewhere } of group.columns) {
    if (column === undefined || !columns.includes(column.path_in_schema[0] ?? "")) continue;
    if (elsewhere !== undefined) {
      throw parquetError(file, `its columns must be in the file itself, got ${quote(elsewhere)}`);
    }
    if (column.num_values !== group.num_rows) {
      throw parquetError(
        file,
        `a column of plain values must have a value a row, got ${column.num_values} for ${group.num_rows}`,
      );
    }
    bytes += column.total_uncompressed_size;
  }
  if (bytes < 0n || bytes > BigInt(MAX_GROUP_BYTES)) {
    throw parquetError(
      file,
      `a row group may take at most ${MAX_GROUP_BYTES} bytes once unpacked (write it again with smaller ones), got ${bytes}`,
    );
  }
}

/** Checks the pages of a row group's columns before the decoder sees them. */
async function checkColumns(
  source: ParquetSource,
  {
    metadata,
    group,
    columns,
    file,
  }: {
    readonly file: string;
    readonly metadata: FileMetaData;
    readonly group: RowGroup;
    readonly columns: readonly string[];
  },
): Promise<void> {
  // Fields within records may have the names of columns: only the top ones count.
  const top = topColumns(metadata.schema, file);
  const optional = new Set(top.filter(({ isOptional }) => isOptional).map(({ name }) => name));
  for (const { meta_data: column } of group.columns) {
    const name = column?.path_in_schema[0] ?? "";
    if (column === undefined || !columns.includes(name)) continue;
    const begin = Number(column.dictionary_page_offset || column.data_page_offset);
    const end = begin + Number(column.total_compressed_size);
    if (!(begin >= 0 && begin <= end && end <= source.byteLength)) {
      throw new RangeError(
        `columns must lie within the ${source.byteLength} bytes, got [${begin}, ${end})`,
      );
    }
    checkPages(new Uint8Array(await source.slice(begin, end)), {
      numRows: Number(group.num_rows),
      isOptional: optional.has(name),
      isBoolean: column.type === "BOOLEAN",
      codec: column.codec,
      compressors: COMPRESSORS,
      maxPageBytes: MAX_PAGE_BYTES,
    });
  }
}

interface GroupTask {
  readonly metadata: FileMetaData;
  readonly columns: readonly string[];
  readonly file: string;
  readonly rowStart: number;
  readonly count: number;
}

async function readGroup(
  source: ParquetSource,
  { metadata, columns, file, rowStart, count }: GroupTask,
): Promise<readonly (readonly unknown[])[]> {
  if (count === 0) return [];
  let rows: readonly (readonly unknown[])[] = [];
  await guarded(file, () =>
    parquetRead({
      file: source,
      metadata,
      columns: [...columns],
      rowStart,
      rowEnd: rowStart + count,
      compressors: COMPRESSORS,
      onComplete: (found) => {
        rows = found;
      },
    }),
  );
  if (rows.length !== count) {
    throw parquetError(
      file,
      `its pages must have the ${count} rows of their group, got ${rows.length}`,
    );
  }
  return rows;
}

/** A decoder that gives what a page says it holds, and no page that is larger than the budget. */
function within(decode: (input: Uint8Array, length: number) => Uint8Array) {
  return (input: Uint8Array, length: number): Uint8Array => {
    if (length >= 0 && length <= MAX_PAGE_BYTES) return decode(input, length);
    throw new RangeError(`a page may take at most ${MAX_PAGE_BYTES} bytes, got ${length}`);
  };
}

const COMPRESSORS: Compressors = {
  SNAPPY: within((input, length) => {
    const output = new Uint8Array(length);
    snappyUncompress(input, output);
    return output;
  }),
  // fflate fills no more than the array that it is given.
  GZIP: within((input, length) => gunzipSync(input, { out: new Uint8Array(length) })),
};

/** Says of every error of the reader that the file is at fault, and which one. */
async function guarded<T>(file: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SyntaxError && error.message.startsWith(`Cannot read ${file}`))
      throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SyntaxError(
      `Cannot read ${file}: it must be a whole Parquet file compressed by Snappy, gzip or not at all, got an error: ${reason}`,
      { cause: error },
    );
  }
}

/** The first name that has occurred before. */
export function repeatedName(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}
