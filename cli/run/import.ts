import { type Career, careerToJson } from "../../data/mod.ts";
import { joinArchives } from "../../data/archive/mod.ts";
import { careersToTsv } from "../../data/career_tsv.ts";
import {
  buildCareers,
  ImportReport,
  mapSurvey,
  openNlsTable,
  openPsid,
  parsePsidMapping,
  type PersonRecord,
  readMapping,
  type ReportEntry,
  type StatusPriority,
} from "../../data/survey/mod.ts";
import { careersToParquet } from "../../data/tables/mod.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { type Content, writeAtomically } from "../platform/files.ts";
import { openDownloads } from "./import_files.ts";
import { loadMapping, type MappingText } from "./import_mapping.ts";
import { foundInNls, foundInPsid, type FoundVariables } from "./import_report.ts";
import type { Progress } from "./progress.ts";

/** What to import, and where to. */
export interface ImportRequest {
  /** Folders, zips and files of one download. */
  readonly paths: readonly string[];
  /** A ready mapping's name, or the path of a `.yaml`. */
  readonly mapping: string;
  /** A `.parquet`, `.jsonl` or `.tsv`; nothing is written without it. */
  readonly output?: string;
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

type Write = (careers: AsyncIterable<Career>) => Content;

const WRITERS: Readonly<Record<string, Write>> = {
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
  const write = output === undefined ? undefined : writerOf(output);
  const mapping = await loadMapping(request.mapping);
  return failingAs(EXIT.data, async () => {
    const report = new ImportReport();
    const survey = await openSurvey(paths, mapping, report);
    const counts = { numPeople: 0, numObservations: 0 };
    const careers = counted(buildCareers(survey.people(), { ...survey.rules, report }), {
      counts,
      progress,
      ...(signal !== undefined && { signal }),
      ...(output !== undefined && { onNone: () => noCareers(paths, report) }),
    });
    if (output === undefined || write === undefined) for await (const _ of careers);
    else await writeAtomically(output, write(careers));
    progress.clear();
    return { found: survey.found, ...counts, leftOut: report.entries() };
  });
}

/** @throws {CliError} With exit code 2 if the name tells no kind of file. */
function writerOf(path: string): Write {
  const kind = Object.keys(WRITERS).find((ending) => path.endsWith(ending));
  if (kind !== undefined) return WRITERS[kind]!;
  throw new CliError(
    EXIT.usage,
    `Cannot write "${path}": its name must end in ${Object.keys(WRITERS).join(", ")}, got none of them`,
  );
}

interface OpenSurvey {
  readonly found: FoundVariables;
  readonly rules: { readonly dataset: string; readonly priority?: StatusPriority };
  people(): AsyncGenerator<PersonRecord, void, undefined>;
}

async function openSurvey(
  paths: readonly string[],
  { name, text, format }: MappingText,
  report: ImportReport,
): Promise<OpenSurvey> {
  if (format === "psid") {
    const mapping = parsePsidMapping(text, name);
    const archive = joinArchives(await openDownloads(paths));
    const survey = await openPsid(archive, mapping, report);
    return {
      found: foundInPsid(survey),
      rules: { dataset: mapping.survey, priority: ["status", "student", "occupation"] },
      people: () => survey.people(),
    };
  }
  const mapping = readMapping(text, name);
  const table = await openNlsTable(await openDownloads(paths));
  const survey = mapSurvey(table, mapping, report);
  return {
    found: foundInNls(table, survey),
    rules: { dataset: mapping.survey, priority: mapping.priority },
    people: () => survey.people(),
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
