import { EDUCATION_LEVELS, type Career, type Education, type Observation } from "./career.ts";
import { careerProblem, quote } from "./career_check.ts";
import { careerFromJson } from "./career_json.ts";
import { readCsv, readTsv, type DelimitedRecord } from "./delimited.ts";
import { readLines, syntaxError } from "./lines.ts";

/** How careers are written in a file. */
export type CareerFormat = "tsv" | "csv" | "jsonl";

/** Options for {@linkcode readCareers}. */
export interface ReadCareersOptions {
  /** `"tsv"` and `"csv"`: one person a row under a header; `"jsonl"`: one {@linkcode Career} a line. */
  readonly format: CareerFormat;
  /** Name of the file, for errors. */
  readonly file: string;
}

const COLUMNS = [
  "id",
  "gender",
  "ethnicity",
  "birth_year",
  "region",
  "years",
  "education",
  "occ1990dd",
] as const;
/** Beyond it a file is no table of careers, and reading line by line would take minutes. */
const MAX_EMPTY_LINES = 100_000;

type Column = (typeof COLUMNS)[number];

/** Survey files say "graduate degree" where the resumes of LABOR-LLM say "any graduate". */
const EDUCATION_OF_LABEL: ReadonlyMap<string, Education> = new Map([
  ...EDUCATION_LEVELS.map((level) => [level, level] as const),
  ["graduate degree", "any graduate"],
]);

/**
 * Yields careers from a file as it arrives, each checked.
 *
 * A table has the columns `id`, `gender`, `ethnicity`, `birth_year`, `region`, `years`
 * (separated by spaces), `education` (separated by `|`) and `occ1990dd` (codes separated by
 * spaces), in any order; other columns are ignored. An empty `birth_year` or `region` is
 * absent. The three lists are aligned by year. UTF-8, with or without a byte order mark,
 * lines ending in LF or CRLF. Decompress a `.gz` file with {@linkcode gunzipped} first.
 * Memory: one person, and the ids seen.
 *
 * @throws {SyntaxError} At the first row that is wrong, naming file, line and remedy.
 *
 * @example
 * ```ts ignore
 * const stream = gunzipped(response.body);
 * for await (const career of readCareers(stream, { format: "tsv", file: "nlsy97.tsv.gz" })) {
 *   console.log(career.id, career.observations.length);
 * }
 * ```
 */
export async function* readCareers(
  stream: ReadableStream<Uint8Array>,
  options: ReadCareersOptions,
): AsyncGenerator<Career, void, undefined> {
  const { file } = options;
  const lineOfId = new Map<string, number>();
  for await (const { line, career } of parse(stream, options)) {
    const problem = careerProblem(career);
    if (problem !== undefined) throw syntaxError(file, line, problem);
    const earlier = lineOfId.get(career.id);
    if (earlier !== undefined) {
      throw syntaxError(
        file,
        line,
        `every id must occur once (one row a person), got ${quote(career.id)} as on line ${earlier}`,
      );
    }
    lineOfId.set(career.id, line);
    yield career;
  }
  if (lineOfId.size === 0) {
    throw syntaxError(file, 1, "the file must contain at least one career, got none");
  }
}

interface ParsedCareer {
  readonly line: number;
  readonly career: Career;
}

async function* parse(
  stream: ReadableStream<Uint8Array>,
  { format, file }: ReadCareersOptions,
): AsyncGenerator<ParsedCareer, void, undefined> {
  let numEmpty = 0;
  const passEmpty = (line: number): void => {
    if (++numEmpty <= MAX_EMPTY_LINES) return;
    const limit = MAX_EMPTY_LINES.toLocaleString("en");
    throw syntaxError(file, line, `at most ${limit} lines may be empty, got more (remove them)`);
  };
  if (format === "jsonl") {
    for await (const { line, text } of readLines(stream, { file })) {
      if (text.trim() === "") passEmpty(line);
      else yield { line, career: careerFromJson(text, { file, line }) };
    }
    return;
  }
  const records = format === "csv" ? readCsv(stream, { file }) : readTsv(stream, { file });
  let header: Header | undefined;
  for await (const record of records) {
    if (header === undefined) {
      header = readHeader(record, file);
    } else if (record.fields.length > 1 || record.fields[0] !== "") {
      yield { line: record.line, career: careerOfRecord(record, header, file) };
    } else {
      passEmpty(record.line);
    }
  }
}

interface Header {
  readonly numColumns: number;
  readonly indexOf: ReadonlyMap<string, number>;
}

function readHeader({ line, fields }: DelimitedRecord, file: string): Header {
  const indexOf = new Map<string, number>();
  for (const [index, name] of fields.entries()) {
    if (indexOf.has(name)) {
      throw syntaxError(file, line, `a column must occur once, got ${quote(name)} twice`);
    }
    indexOf.set(name, index);
  }
  const missing = COLUMNS.filter((column) => !indexOf.has(column));
  if (missing.length > 0) {
    throw syntaxError(
      file,
      line,
      `the header must name the columns ${COLUMNS.join(", ")}, ` +
        `got none named ${missing.join(", ")} (is the format tsv, csv or jsonl?)`,
    );
  }
  return { numColumns: fields.length, indexOf };
}

function careerOfRecord({ line, fields }: DelimitedRecord, header: Header, file: string): Career {
  if (fields.length !== header.numColumns) {
    throw syntaxError(
      file,
      line,
      `a row must have ${header.numColumns} fields as the header has, got ${fields.length}`,
    );
  }
  const field = (column: Column): string => fields[header.indexOf.get(column) ?? -1] ?? "";
  const year = (column: Column, text: string): number => {
    if (/^\d{4}$/.test(text)) return Number(text);
    throw syntaxError(file, line, `${column} must be years of four digits, got ${quote(text)}`);
  };
  const years = list(field("years"), " ").map((text) => year("years", text));
  const education = list(field("education"), "|");
  const occupations = list(field("occ1990dd"), " ");
  if (education.length !== years.length || occupations.length !== years.length) {
    throw syntaxError(
      file,
      line,
      `years, education and occ1990dd must be lists of one length, ` +
        `got ${years.length}, ${education.length} and ${occupations.length}`,
    );
  }
  const observations = years.map((each, i): Observation => {
    const label = education[i] ?? "";
    const level = EDUCATION_OF_LABEL.get(label);
    if (level === undefined) {
      const labels = [...EDUCATION_OF_LABEL.keys()].map((known) => `"${known}"`).join(", ");
      throw syntaxError(
        file,
        line,
        `the education in ${each} must be one of ${labels}, got ${quote(label)}`,
      );
    }
    return { year: each, education: level, occupation: occupations[i] ?? "" };
  });
  const [region, birthYear] = [field("region"), field("birth_year")];
  return {
    id: field("id"),
    gender: field("gender"),
    ethnicity: field("ethnicity"),
    ...(region === "" ? {} : { region }),
    ...(birthYear === "" ? {} : { birthYear: year("birth_year", birthYear) }),
    observations,
  };
}

function list(field: string, separator: string): string[] {
  return field === "" ? [] : field.split(separator);
}
