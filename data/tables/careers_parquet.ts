import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from "hyparquet-writer";
import type { Career, Observation } from "../career.ts";
import { careerProblem, educationRule, isEducation, quote } from "../career_check.ts";
import { occupationIndex, OCCUPATIONS } from "../occupations.ts";
import {
  parquetError,
  type ParquetRow,
  type ParquetSource,
  readParquetRows,
} from "./parquet_rows.ts";

/** Rows of a row group, about. */
const GROUP_ROWS = 2 ** 17;

const TEXT = { type: "BYTE_ARRAY", converted_type: "UTF8" } as const;

/** The columns, a row a person-year; `title` is for readers of the table and not read back. */
const SCHEMA: readonly SchemaElement[] = [
  { name: "root", num_children: 10 },
  { name: "id", ...TEXT, repetition_type: "REQUIRED" },
  { name: "dataset", ...TEXT, repetition_type: "OPTIONAL" },
  { name: "gender", ...TEXT, repetition_type: "REQUIRED" },
  { name: "ethnicity", ...TEXT, repetition_type: "REQUIRED" },
  { name: "birth_year", type: "INT32", repetition_type: "OPTIONAL" },
  { name: "region", ...TEXT, repetition_type: "OPTIONAL" },
  { name: "year", type: "INT32", repetition_type: "REQUIRED" },
  { name: "education", ...TEXT, repetition_type: "REQUIRED" },
  { name: "occupation", ...TEXT, repetition_type: "REQUIRED" },
  { name: "title", ...TEXT, repetition_type: "REQUIRED" },
];

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Careers as a Parquet file: a row a person-year, the columns `id`, `dataset`, `gender`,
 * `ethnicity`, `birth_year`, `region`, `year`, `education`, `occupation` and `title`, compressed by
 * Snappy, as pandas, DuckDB, R's arrow and Polars read it.
 *
 * Memory: one row group, and the ids seen.
 *
 * @returns The bytes of the file, piece by piece.
 * @throws {RangeError} If a career is wrong as `careerProblem()` says, or an id occurs twice.
 *
 * @example
 * ```ts ignore
 * for await (const piece of careersToParquet(careers)) await file.write(piece);
 * ```
 */
export async function* careersToParquet(
  careers: Iterable<Career> | AsyncIterable<Career>,
): AsyncGenerator<Bytes, void, undefined> {
  const buffer = new ByteWriter();
  const writer = new ParquetWriter({ writer: buffer, schema: [...SCHEMA], createdBy: "tenure" });
  const take = (): Bytes => {
    const bytes = buffer.getBytes().slice();
    buffer.index = 0; // its `offset` counts on
    return bytes;
  };
  const seen = new Set<string>();
  let rows: Row[] = [];
  for await (const career of careers) {
    checkCareer(career, seen);
    rows.push(...career.observations.map((observation) => ({ career, observation })));
    if (rows.length >= GROUP_ROWS) {
      await writer.write({ columnData: columnsOf(rows), rowGroupSize: rows.length });
      rows = [];
      yield take();
    }
  }
  if (rows.length > 0) {
    await writer.write({ columnData: columnsOf(rows), rowGroupSize: rows.length });
  }
  await writer.finish();
  yield take();
}

interface Row {
  readonly career: Career;
  readonly observation: Observation;
}

function checkCareer(career: Career, seen: Set<string>): void {
  const problem = seen.has(career.id)
    ? "every id must occur once (one career a person), got it twice"
    : careerProblem(career);
  if (problem !== undefined) {
    throw new RangeError(`Cannot write the career of ${quote(career.id)}: ${problem}`);
  }
  seen.add(career.id);
}

function columnsOf(rows: readonly Row[]): ColumnSource[] {
  const column = (
    name: string,
    value: (row: Row) => string | number | undefined,
  ): ColumnSource => ({
    name,
    data: rows.map(value),
  });
  return [
    column("id", ({ career }) => career.id),
    column("dataset", ({ career }) => career.dataset),
    column("gender", ({ career }) => career.gender),
    column("ethnicity", ({ career }) => career.ethnicity),
    column("birth_year", ({ career }) => career.birthYear),
    column("region", ({ career }) => career.region),
    column("year", ({ observation }) => observation.year),
    column("education", ({ observation }) => observation.education),
    column("occupation", ({ observation }) => observation.occupation),
    column("title", ({ observation }) => titleOf(observation.occupation)),
  ];
}

function titleOf(code: string): string {
  return OCCUPATIONS[occupationIndex(code)]?.title ?? "";
}

const REQUIRED = ["id", "gender", "ethnicity", "year", "education", "occupation"];
const OPTIONAL = ["dataset", "birth_year", "region"];

/**
 * Careers of a Parquet file with a row a person-year, such as {@linkcode careersToParquet} writes
 * or any program does that keeps its column names: `id`, `gender`, `ethnicity`, `year`, `education`
 * and `occupation` must be there, `dataset`, `birth_year` and `region` may be, and may be null.
 * Rows may stand in any order; people come in the order of their first rows. Ids, years and codes
 * may be numbers.
 *
 * Memory: all careers.
 *
 * @param source The file's bytes: an `ArrayBuffer`, or whatever gives slices of them.
 * @throws {SyntaxError} At the first row that is wrong, naming file, row and remedy.
 *
 * @example
 * ```ts ignore
 * const careers = await careersOfParquet(await response.arrayBuffer(), { file: "careers.parquet" });
 * ```
 */
export async function careersOfParquet(
  source: ParquetSource,
  { file }: { readonly file: string },
): Promise<Career[]> {
  const people = new Map<string, Person>();
  const options = { file, columns: REQUIRED, optional: OPTIONAL };
  for await (const row of readParquetRows(source, options)) {
    const { fixed, observation } = personYear(row, file);
    const known = people.get(fixed.id);
    if (known === undefined) {
      people.set(fixed.id, {
        fixed,
        row: row.row,
        years: new Map([[observation.year, observation]]),
      });
      continue;
    }
    checkSame(known, fixed, { file, row: row.row });
    if (known.years.has(observation.year)) {
      const problem = `a person must have one row a year, got ${observation.year} of ${quote(fixed.id)} twice`;
      throw parquetError(file, problem, row.row);
    }
    known.years.set(observation.year, observation);
  }
  if (people.size === 0) throw parquetError(file, "it must contain at least one career, got none");
  return [...people.values()].map((person) => careerOf(person, file));
}

type Fixed = Omit<Career, "observations">;

interface Person {
  readonly fixed: Fixed;
  /** Number of the first row. */
  readonly row: number;
  readonly years: Map<number, Observation>;
}

function careerOf({ fixed, row, years }: Person, file: string): Career {
  const observations = [...years.values()].toSorted((a, b) => a.year - b.year);
  const career: Career = { ...fixed, observations };
  const problem = careerProblem(career);
  if (problem === undefined) return career;
  throw parquetError(file, `of ${quote(fixed.id)}, who begins here, ${problem}`, row);
}

function checkSame(
  { fixed: known, row: first }: Person,
  fixed: Fixed,
  { file, row }: { readonly file: string; readonly row: number },
): void {
  for (const key of ["dataset", "gender", "ethnicity", "region", "birthYear"] as const) {
    if (known[key] === fixed[key]) continue;
    const got = `${JSON.stringify(fixed[key]) ?? "none"} after ${JSON.stringify(known[key]) ?? "none"} in row ${first}`;
    throw parquetError(
      file,
      `${key} must be the same in all rows of ${quote(fixed.id)}, got ${got}`,
      row,
    );
  }
}

function personYear(
  { row, values }: ParquetRow,
  file: string,
): { readonly fixed: Fixed; readonly observation: Observation } {
  const wrong = (name: string, kind: string): SyntaxError => {
    return parquetError(file, `${name} must be ${kind}, got ${shown(values.get(name))}`, row);
  };
  const isNone = (name: string): boolean => (values.get(name) ?? null) === null;
  const text = (name: string): string => {
    const value = values.get(name);
    if (typeof value === "string") return value;
    throw wrong(name, "text");
  };
  const code = (name: string): string => {
    const value = wholeNumber(values.get(name));
    return value === undefined ? text(name) : String(value);
  };
  const year = (name: string): number => {
    const value = wholeNumber(values.get(name));
    if (value !== undefined) return value;
    throw wrong(name, "a whole number");
  };
  const education = text("education");
  const observed = year("year");
  if (!isEducation(education))
    throw parquetError(file, `${educationRule(observed)}, got ${quote(education)}`, row);
  return {
    fixed: {
      id: code("id"),
      ...(isNone("dataset") ? {} : { dataset: text("dataset") }),
      gender: text("gender"),
      ethnicity: text("ethnicity"),
      ...(isNone("region") ? {} : { region: text("region") }),
      ...(isNone("birth_year") ? {} : { birthYear: year("birth_year") }),
    },
    observation: { year: observed, education, occupation: code("occupation") },
  };
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "string") return quote(value);
  return typeof value === "bigint" ? `${value}` : quote(JSON.stringify(value));
}

/** A number that is whole and exact, whatever the width of its column. */
function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === "bigint" ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}
