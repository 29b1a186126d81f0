import type { Career } from "../../data/career.ts";
import { careerToJson } from "../../data/career_json.ts";
import { joinArchives } from "../../data/archive/mod.ts";
import { careersToTsv } from "../../data/career_tsv.ts";
import {
  buildCareers,
  ImportReport,
  mapSurvey,
  openNlsTable,
  openPsid,
  parsePsidMapping,
  readMapping,
  type ReportEntry,
} from "../../data/survey/mod.ts";
import { careersToParquet, readTableMapping } from "../../data/tables/mod.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { type Content, writeAtomically } from "../platform/files.ts";
import { isCareerSource, openCareers, writeCareerFolder } from "./import_careers.ts";
import { openDownloads } from "./import_files.ts";
import { loadMapping, type MappingText } from "./import_mapping.ts";
import { foundInNls, foundInPsid, type FoundVariables } from "./import_report.ts";
import { openTable } from "./import_table.ts";
import type { Progress } from "./progress.ts";

/** What to import, and where to. */
export interface ImportRequest {
  /** Folders, zips and files of one download. */
  readonly paths: readonly string[];
  /** A ready mapping's name, the path of a `.yaml`, or one of `CAREER_SOURCES`. */
  readonly mapping: string;
  /** A `.parquet`, `.jsonl` or `.tsv`; nothing is written without it. */
  readonly output?: string;
  /** How to write; `"career"` is a folder of CAREER's text files. @default as the output's name tells */
  readonly format?: "career";
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** What was imported, and what was not. */
export interface ImportOutcome {
  readonly found: FoundVariables;
  readonly numPeople: number;
  readonly numObservations: number;
  readonly leftOut: readonly ReportEntry[];
}

type Write = (path: string, careers: AsyncIterable<Career>) => Promise<void>;

const WRITERS: Readonly<Record<string, (careers: AsyncIterable<Career>) => Content>> = {
  ".parquet": careersToParquet,
  ".tsv": careersToTsv,
  ".jsonl": toJsonLines,
};

/**
 * Makes careers of a survey's files. The output gets its name once it is whole; an error leaves what
 * was there.
 *
 * @throws {CliError} With exit code 2 for an unknown mapping or kind of output, 3 if a file does not
 *   parse, naming file and line, if variables are missing, or if no career is left.
 */
export async function importCareers(request: ImportRequest): Promise<ImportOutcome> {
  const { paths, output, progress, signal } = request;
  const write = output === undefined ? undefined : writerOf(output, request.format);
  return failingAs(EXIT.data, async () => {
    const report = new ImportReport();
    const survey = isCareerSource(request.mapping)
      ? await openCareers(paths, request.mapping)
      : await openSurvey(paths, await loadMapping(request.mapping), report);
    const counts = { numPeople: 0, numObservations: 0 };
    const careers = counted(survey.careers(), {
      counts,
      progress,
      ...(signal !== undefined && { signal }),
      ...(output !== undefined && { onNone: () => noCareers(paths, report) }),
    });
    if (output === undefined || write === undefined) for await (const _ of careers);
    else await write(output, careers);
    progress.clear();
    return { found: survey.found, ...counts, leftOut: report.entries() };
  });
}

/** @throws {CliError} With exit code 2 if the name tells no kind of file. */
function writerOf(path: string, format: ImportRequest["format"]): Write {
  if (format === "career") return writeCareerFolder;
  const kind = Object.keys(WRITERS).find((ending) => path.endsWith(ending));
  if (kind !== undefined) return (to, careers) => writeAtomically(to, WRITERS[kind]!(careers));
  throw new CliError(
    EXIT.usage,
    `Cannot write "${path}": its name must end in ${Object.keys(WRITERS).join(", ")}, got none of them`,
  );
}

interface OpenSurvey {
  readonly found: FoundVariables;
  careers(): AsyncGenerator<Career, void, undefined>;
}

async function openSurvey(
  paths: readonly string[],
  { name, text, format }: MappingText,
  report: ImportReport,
): Promise<OpenSurvey> {
  if (format === "psid") {
    const mapping = parsePsidMapping(text, name);
    const { survey: dataset } = mapping;
    const archive = joinArchives(await openDownloads(paths));
    const survey = await openPsid(archive, mapping, report);
    const priority = ["status", "student", "occupation"] as const;
    return {
      found: foundInPsid(survey),
      careers: () => buildCareers(survey.people(), { dataset, priority, report }),
    };
  }
  if (format === "table") {
    const mapping = readTableMapping(text, name);
    const { survey: dataset, priority } = mapping;
    const table = await openTable(paths, mapping, report);
    return {
      found: table.found,
      careers: () => buildCareers(table.people(), { dataset, priority, report }),
    };
  }
  const mapping = readMapping(text, name);
  const { survey: dataset, priority } = mapping;
  const table = await openNlsTable(await openDownloads(paths));
  const survey = mapSurvey(table, mapping, report);
  return {
    found: foundInNls(table, survey),
    careers: () => buildCareers(survey.people(), { dataset, priority, report }),
  };
}

interface CountOptions {
  readonly counts: { numPeople: number; numObservations: number };
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** The error if nothing is left, where that is one. */
  readonly onNone?: () => Error;
}

/** Careers on their way; none at all is an error, which comes before a file gets its name. */
async function* counted(
  careers: AsyncIterable<Career>,
  { counts, progress, signal, onNone }: CountOptions,
): AsyncGenerator<Career, void, undefined> {
  for await (const career of careers) {
    signal?.throwIfAborted();
    counts.numPeople += 1;
    counts.numObservations += career.observations.length;
    progress.update(() => `${counts.numPeople} people, ${counts.numObservations} person-years`);
    yield career;
  }
  if (counts.numPeople === 0 && onNone !== undefined) throw onNone();
}

function noCareers(paths: readonly string[], report: ImportReport): SyntaxError {
  const [first] = report.entries();
  return new SyntaxError(
    `Cannot import "${paths.join(", ")}": there must be at least one career, got none` +
      `${first === undefined ? "" : ` (${first.reason}, first at ${first.examples[0]})`}; ` +
      "see --dry-run",
  );
}

async function* toJsonLines(
  careers: AsyncIterable<Career>,
): AsyncGenerator<string, void, undefined> {
  for await (const career of careers) yield `${careerToJson(career)}\n`;
}
