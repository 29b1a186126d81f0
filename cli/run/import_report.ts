import type { MappedSurvey, NlsTable, PsidSurvey, ReportEntry } from "../../data/survey/mod.ts";
import type { ImportOutcome } from "./import.ts";

/** What was found in a download: files and variables, as lines of a table. */
export type FoundVariables = readonly (readonly [what: string, where: string])[];

/** Names that are listed of many. */
const MAX_NAMES = 4;

/** What a mapping has found in an NLS download. */
export function foundInNls({ files }: NlsTable, { plan }: MappedSurvey): FoundVariables {
  const nameOf = ({ variable }: { variable: { name: string; file: string } }): string =>
    `${variable.name} of ${variable.file}`;
  const first = (what: string, readings: readonly Parameters<typeof nameOf>[0][]) =>
    [what, readings.length === 0 ? "not in this download" : nameOf(readings[0]!)] as const;
  const yearly = (what: "education" | "enrollment" | "occupation" | "status") => {
    const years = plan.years.filter((year) => year[what].length > 0);
    const numVariables = years.reduce((sum, year) => sum + year[what].length, 0);
    return [
      what,
      numVariables === 0
        ? "not in this download"
        : `${count(numVariables, "variable", "variables")}: ${formatYears(years.map(({ year }) => year))}`,
    ] as const;
  };
  const observed = plan.years.filter(
    ({ isObserved, enrollment, occupation, status }) =>
      isObserved && enrollment.length + occupation.length + status.length > 0,
  );
  return [
    ["files", listOf(files.data)],
    ["codebooks", files.codebooks.length === 0 ? "none" : listOf(files.codebooks)],
    first("gender", plan.gender),
    first("ethnicity", plan.ethnicity),
    first("birth year", plan.birthYear),
    first("region", plan.region),
    yearly("education"),
    yearly("enrollment"),
    yearly("occupation"),
    yearly("status"),
    ["person-years", formatYears(observed.map(({ year }) => year))],
  ];
}

/** What a mapping has found in a PSID download. */
export function foundInPsid({ years }: PsidSurvey): FoundVariables {
  return [["person-years", formatYears(years)]];
}

/** All that an import has to say, for a person to read. */
export function formatImport(outcome: ImportOutcome, output: string | undefined): string {
  const { found, numPeople, numObservations, leftOut } = outcome;
  const counts = `${count(numPeople, "person", "people")}, ${count(numObservations, "person-year", "person-years")}`;
  const written = output === undefined ? "nothing written (--dry-run)" : `written to "${output}"`;
  return [aligned([["Found", ""], ...found]), formatLeftOut(leftOut), `${counts}: ${written}`].join(
    "\n\n",
  );
}

function formatLeftOut(entries: readonly ReportEntry[]): string {
  if (entries.length === 0) return "Nothing was left out.";
  const plural = { person: "people", year: "person-years", value: "values" };
  const rows = entries.map(({ what, reason, count: times, examples }) => [
    plural[what],
    String(times),
    reason,
    examples[0] ?? "",
  ]);
  return aligned([["Left out", "count", "why", "first at"], ...rows]);
}

/** Years for people to read: `"1982-1994, 1996"`. */
export function formatYears(years: readonly number[]): string {
  const spans: [number, number][] = [];
  for (const year of years) {
    const last = spans.at(-1);
    if (last !== undefined && last[1] === year - 1) last[1] = year;
    else spans.push([year, year]);
  }
  return spans.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}

function listOf(names: readonly string[]): string {
  const rest = names.length - MAX_NAMES;
  const shown = names.slice(0, MAX_NAMES).join(", ");
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

function count(number: number, one: string, many: string): string {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;
}

/** Columns side by side, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (/^\d+$/.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
  return lines.join("\n");
}
