import { quote } from "../career_check.ts";
import { nearestOf } from "../checked_yaml.ts";
import type { Source } from "./mapping.ts";
import type { SurveyTable, SurveyVariable } from "./survey_table.ts";

/** A variable of a survey, and the year that it tells of. */
export interface LocatedVariable {
  /** Absent where it is of no year. */
  readonly year?: number;
  readonly variable: SurveyVariable;
}

/** Where the variables of an entry are looked for. */
export interface LocateOptions {
  /** The entry of the mapping, for errors: `"occupation.0"`. */
  readonly path: string;
  /** Whether the download may lack all of them. */
  readonly optional?: boolean;
  /** Whether a year may have several, as weeks have. */
  readonly several?: boolean;
}

const WEEK_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * Finds the variables that an entry of a mapping names. Of several sources, the first that has a
 * variable of a year gives that year; of the same variable in several files, the first is taken.
 *
 * @returns Variables in ascending order of years; those of no year first.
 * @throws {RangeError} If none is found, with the nearest name there is; if a pattern finds several
 *   variables of one year where one is meant.
 */
export function locate(
  table: SurveyTable,
  from: readonly Source[],
  { path, optional = false, several = false }: LocateOptions,
): LocatedVariable[] {
  const byYear = new Map<number | undefined, LocatedVariable[]>();
  for (const source of from) {
    const found = new Map<number | undefined, LocatedVariable[]>();
    for (const each of locateSource(table, source, path)) {
      found.set(each.year, [...(found.get(each.year) ?? []), each]);
    }
    for (const [year, located] of found) {
      if (byYear.has(year)) continue;
      const distinct = [...new Map(located.map((each) => [each.variable.name, each])).values()];
      if (distinct.length > 1 && !several) throw ambiguous(path, distinct);
      byYear.set(year, distinct);
    }
  }
  if (byYear.size === 0 && !optional) throw missingVariables(table, from, path);
  return [...byYear.values()].flat().toSorted((a, b) => (a.year ?? 0) - (b.year ?? 0));
}

function locateSource(table: SurveyTable, source: Source, path: string): LocatedVariable[] {
  const { column, question, by_year: byYear, file } = source;
  const isFile = file === undefined ? () => true : filePattern(file);
  const variables = table.variables.filter((variable) => isFile(variable.file));
  if (byYear !== undefined) {
    return Object.entries(byYear).flatMap(([year, name]) => {
      const variable = variables.find((each) => each.name === plainName(name));
      return variable === undefined ? [] : [{ year: Number(year), variable }];
    });
  }
  const pattern = namePattern(column ?? question!);
  const weekOne = source.week_one;
  return variables.flatMap((variable) => {
    const match =
      column === undefined
        ? ((variable.question === undefined ? null : pattern.exec(variable.question)) ??
          pattern.exec(variable.name))
        : (pattern.exec(variable.name) ?? (plainName(column) === variable.name ? [""] : null));
    if (match === null) return [];
    const year = yearOf((match as RegExpExecArray).groups ?? {}, variable.year, weekOne);
    if (year === "before") return [];
    if (year === undefined && pattern.source.includes("<week>")) throw noYear(path, variable);
    return [{ variable, ...(year !== undefined && { year }) }];
  });
}

/** Reference numbers without the point that codebooks write. */
function plainName(text: string): string {
  return text.replace(
    /^([A-Za-z])(\d{5})\.(\d{2})$/,
    (_, letter: string, a: string, b: string) => `${letter.toUpperCase()}${a}${b}`,
  );
}

/** Placeholders of names; programs replace what is neither letter nor digit by `_`. */
function namePattern(text: string): RegExp {
  const parts = text.split(/(\{year\}|\{yy\}|\{week\}|\*)/);
  const groups: Record<string, string> = {
    "{year}": "(?<year>(?:19|20)\\d\\d)",
    "{yy}": "(?<yy>\\d\\d)",
    "{week}": "(?<week>\\d{1,5})",
    "*": ".*",
  };
  const body = parts.map((part) => groups[part] ?? part.replace(/[^A-Za-z0-9]/g, "[^A-Za-z0-9]"));
  return new RegExp(`^${body.join("")}(?:_(?:(?<suffix>(?:19|20)\\d\\d)|XRND))?$`, "i");
}

function filePattern(text: string): (file: string) => boolean {
  const body = text.split("*").map((part) => part.replace(/[^A-Za-z0-9]/g, "\\$&"));
  const pattern = new RegExp(`^${body.join(".*")}(?:\\.[a-z]+)?(?:\\.gz)?$`, "i");
  return (file) => pattern.test(file.slice(file.lastIndexOf("/") + 1));
}

/** The year in a name, of a numbered week, behind a name, or of the codebook. */
function yearOf(
  groups: Readonly<Record<string, string | undefined>>,
  ofCodebook: number | undefined,
  weekOne: string | undefined,
): number | "before" | undefined {
  const { year, yy, week, suffix } = groups;
  if (year !== undefined) return Number(year);
  if (yy !== undefined) return Number(yy) + (Number(yy) >= 50 ? 1900 : 2000);
  if (week !== undefined && weekOne !== undefined) {
    if (Number(week) < 1) return "before";
    return new Date(Date.parse(weekOne) + (Number(week) - 1) * WEEK_MS).getUTCFullYear();
  }
  return suffix === undefined ? ofCodebook : Number(suffix);
}

/** The error where a download lacks all variables of an entry, with the nearest name there is. */
export function missingVariables(
  table: SurveyTable,
  from: readonly Source[],
  path: string,
): RangeError {
  const wanted = from.map(
    ({ column, question, by_year: byYear }) =>
      column ?? question ?? Object.values(byYear ?? {})[0] ?? "",
  );
  const known = new Set(table.variables.flatMap(({ name, question }) => [name, question ?? name]));
  const nearest = wanted.map((name) => nearestOf(name, [...known])).find(Boolean);
  return new RangeError(
    `Cannot import "${table.name}": ${path} must name variables of the download, got ` +
      `${wanted.map(quote).join(", ")} and none of them in it` +
      `${nearest === undefined ? "" : ` (did you mean ${quote(nearest)}?)`} ` +
      "(add them to the tag set and download again, or change the mapping)",
  );
}

function ambiguous(path: string, located: readonly LocatedVariable[]): RangeError {
  const names = located.map(({ variable }) => `${variable.name} of ${variable.file}`);
  return new RangeError(
    `Cannot import: ${path} must name one variable${
      located[0]!.year === undefined ? "" : ` of ${located[0]!.year}`
    }, got ${names.slice(0, 5).join(", ")} (name its file, or its column)`,
  );
}

function noYear(path: string, { name }: SurveyVariable): RangeError {
  return new RangeError(
    `Cannot import: ${path} must tell the year of ${quote(name)}, got a week alone ` +
      "(add {year} to its name, or week_one)",
  );
}
