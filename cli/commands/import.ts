import { type Command, Option } from "commander";
import { CliError, EXIT } from "../platform/errors.ts";
import { Progress } from "../run/progress.ts";
import { print } from "../run/stdout.ts";
import { untilStopped } from "../run/until_stopped.ts";

/** Flags of `tenure import`. */
interface ImportFlags {
  readonly mapping?: string;
  readonly output?: string;
  readonly format?: "career";
  readonly dryRun?: boolean;
  readonly printMapping?: string;
}

/** Adds `tenure import` to the program. */
export function importCommand(program: Command): void {
  program
    .command("import")
    .description(
      "Make careers of a survey's own files: NLS Investigator and PSID downloads, tables.",
    )
    .argument("[download...]", "folders, zips and files of one download, gzipped or not")
    .option("--mapping <name>", "nlsy79, nlsy97, psid, ... or a .yaml of your own")
    .option("-o, --output <file>", "careers to write: a .parquet, .jsonl or .tsv")
    .addOption(
      new Option("--format <name>", "a folder of CAREER's text files, split by person").choices([
        "career",
      ]),
    )
    .option("--dry-run", "read and check everything, write nothing")
    .option("--print-mapping <name>", "print a ready mapping, to start your own from, and stop")
    .addHelpText("after", HELP)
    .action(async (paths: readonly string[], flags: ImportFlags) => {
      if (flags.printMapping !== undefined) {
        const { readyMapping } = await import("../run/import_mapping.ts");
        return print(readyMapping(flags.printMapping));
      }
      const { mapping, output } = checked(paths, flags);
      const { importCareers } = await import("../run/import.ts");
      const { formatImport } = await import("../run/import_report.ts");
      await untilStopped(async (signal) => {
        const outcome = await importCareers({
          paths,
          mapping,
          ...(output !== undefined && { output }),
          ...(flags.format !== undefined && { format: flags.format }),
          progress: new Progress(),
          signal,
        });
        await print(`${formatImport(outcome, output)}\n`);
        if (outcome.numPeople === 0) process.exitCode = EXIT.data;
      });
    });
}

const HELP = `
A mapping says which variables tell id, gender, ethnicity, birth year, region, education,
enrollment, occupation and status, and what their codes mean (docs/surveys.md). Variables
that a mapping names and the download lacks are an error, unless it calls them optional.

Years become person-years by the rules of LABOR-LLM: a student is one, then who has no
job, then the occupation, as occ1990dd; education is the highest told so far. What is
left out is counted by reason, with a place. A row that does not parse stops the import
with its file and line; the output gets its name once it is whole.

A mapping with "format: table" reads any table, CSV, TSV, JSON lines or Parquet, with a row
a person-year or a row a person (docs/careers.md). --mapping career reads a folder of
CAREER's text files, --mapping careers a file of careers, to write it in another form.

Zips are read as they are: files that would unfold beyond all reason, lead out of their
folder, or come twice are refused.

Examples:
  $ tenure import nlsy97.zip --mapping nlsy97 -o careers.parquet
  $ tenure import download/ --mapping nlsy79 --dry-run
  $ tenure import --print-mapping nlsy79 > mine.yaml
  $ tenure import a.csv.gz a.sdf --mapping mine.yaml -o careers.jsonl
  $ tenure import table.csv --mapping my_table.yaml -o careers.parquet
  $ tenure import careers.parquet --mapping careers --format career -o folder
  $ tenure describe careers.parquet`;

function checked(
  paths: readonly string[],
  { mapping, output, dryRun = false }: ImportFlags,
): { mapping: string; output?: string } {
  const fail = (problem: string): never => {
    throw new CliError(EXIT.usage, `Cannot import: ${problem}; see tenure help import`);
  };
  if (paths.length === 0) return fail("there must be a download, got none");
  if (mapping === undefined) return fail("there must be a --mapping, got none");
  if (dryRun === (output !== undefined)) {
    return fail(`there must be either --output or --dry-run, got ${dryRun ? "both" : "neither"}`);
  }
  return { mapping, ...(output !== undefined && { output }) };
}
