import { join } from "node:path";
import type { Career } from "../../data/career.ts";
import { splitCareers } from "../../data/split.ts";
import { CAREER_PARTS, careersToCareerFormat, readCareerFormat } from "../../data/tables/mod.ts";
import { CliError, EXIT } from "../platform/errors.ts";
import { exists } from "../platform/file_source.ts";
import { openFile } from "../platform/files.ts";
import { writeFolder } from "../platform/new_folder.ts";
import { readCareersFile } from "./careers_file.ts";
import type { FoundVariables } from "./import_report.ts";

/** In place of a mapping: what is careers already, in CAREER's text files or in files of our own. */
export const CAREER_SOURCES = ["career", "careers"] as const;

/** Careers that need no rules, opened. */
interface OpenCareers {
  readonly found: FoundVariables;
  careers(): AsyncGenerator<Career, void, undefined>;
}

/** Whether `mapping` is one of {@linkcode CAREER_SOURCES}. */
export function isCareerSource(mapping: string): mapping is (typeof CAREER_SOURCES)[number] {
  return CAREER_SOURCES.some((source) => source === mapping);
}

/**
 * Opens a folder of CAREER's text files, all of its parts, or a file of careers.
 *
 * @throws {CliError} With exit code 2 unless there is one path; 3 if it is missing.
 * @throws {SyntaxError} Naming file and line, if a career is wrong.
 */
export async function openCareers(
  paths: readonly string[],
  source: (typeof CAREER_SOURCES)[number],
): Promise<OpenCareers> {
  const [path, second] = paths;
  if (path === undefined || second !== undefined) {
    const what = source === "career" ? "one folder of CAREER's files" : "one file of careers";
    throw new CliError(EXIT.usage, `Cannot import: there must be ${what}, got ${paths.length}`);
  }
  if (source === "careers") {
    const careers = await readCareersFile(path);
    return { found: [["careers", path]], careers: () => eachOf(careers) };
  }
  const split = await readCareerFormat({
    name: path,
    open: async (file) =>
      (await exists(join(path, file))) ? openFile(join(path, file)) : undefined,
  });
  return {
    found: CAREER_PARTS.map((part) => [`${part}.job`, `${split[part].length} people`] as const),
    careers: () => eachOf(CAREER_PARTS.flatMap((part) => split[part])),
  };
}

async function* eachOf(careers: readonly Career[]): AsyncGenerator<Career, void, undefined> {
  yield* careers;
}

/** Seed of the split, as `tenure prepare` has it by default. */
const SPLIT_SEED = 1;

/** Names of CAREER's files, and of ids, which are ours. */
const FILE =
  /^(?:train|valid|test)\.(?:job|year|education|ethnicity|gender|location|year_of_birth|id)$/;

/**
 * Writes careers as a folder of CAREER's text files, split 70/10/20 by person as `tenure prepare`
 * does by default. An earlier such folder is replaced; what was there stays until all is written.
 *
 * @throws {CliError} With exit code 2 if the folder holds anything else.
 */
export async function writeCareerFolder(
  folder: string,
  careers: AsyncIterable<Career>,
): Promise<void> {
  const people: Career[] = [];
  for await (const career of careers) people.push(career);
  const files = careersToCareerFormat(splitCareers(people, { seed: SPLIT_SEED }));
  await writeFolder(
    folder,
    [...files].map(([name, chunks]) => ({ name, chunks })),
    { overwrite: true, isReplaceable: (name) => FILE.test(name) },
  );
}
