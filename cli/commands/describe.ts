import { basename } from "node:path";
import type { Command } from "commander";
import { EXIT, failingAs } from "../platform/errors.ts";
import type { ReportDocument } from "../report/document.ts";
import type { NamedCareers } from "../run/describe.ts";
import { wholeNumber } from "../run/flags.ts";

/** Flags of `tenure describe`. */
interface DescribeFlags {
  readonly output?: string;
  readonly top: number;
  readonly json?: boolean;
}

/** Adds `tenure describe` to the program. */
export function describeCommand(program: Command): void {
  program
    .command("describe")
    .description("Count what careers amount to: people, years, transitions, occupations, groups.")
    .argument("<careers...>", "files of careers: .parquet, .tsv, .csv, .jsonl; a column each")
    .option("-o, --output <folder>", "also write the tables and plots as files, for a browser")
    .option("--top <n>", "occupations in the table", wholeNumber({ least: 1 }), 20)
    .option("--json", "print one JSON object instead of tables")
    .addHelpText(
      "after",
      `
Prints Markdown. A person-year is the first of its person, moving (another occupation or
status than in the year observed before) or staying. The folder gets index.html, report.md,
tables as CSV, Markdown and LaTeX, and figures as SVG with their numbers as CSV.

Examples:
  $ tenure describe careers.parquet
  $ tenure describe nlsy79.parquet nlsy97.parquet -o reports/data
  $ tenure describe careers.tsv.gz --json | jq '.[0].transitions'`,
    )
    .action(describe);
}

async function describe(files: readonly string[], flags: DescribeFlags): Promise<void> {
  const { output, top, json } = flags;
  const { readCareersFile } = await import("../run/careers_file.ts");
  const { describeCareers, summarizeCareers } = await import("../run/describe.ts");
  const report = await import("../report/mod.ts");
  if (output !== undefined) await report.checkReportFolder(output);
  const sets: NamedCareers[] = [];
  for (const [i, name] of namesOf(files).entries()) {
    sets.push({ name, careers: await readCareersFile(files[i] ?? "") });
  }
  const document = await failingAs(EXIT.data, () => describeCareers(sets, { top }));
  if (output !== undefined) await report.writeReport(output, document);
  process.stdout.write(
    json === true
      ? `${JSON.stringify(sets.map(summarizeCareers), null, 2)}\n`
      : report.documentToMarkdown(withoutFigures(document)),
  );
}

/** Names of files without folder and ending; with them where names would repeat. */
function namesOf(files: readonly string[]): string[] {
  const short = files.map((file) =>
    basename(file)
      .replace(/\.gz$/, "")
      .replace(/\.[^.]+$/, ""),
  );
  return short.map((name, i) =>
    short.indexOf(name) === short.lastIndexOf(name) ? name : (files[i] ?? name),
  );
}

/** What a terminal can show: there are no files that the figures could be links to. */
function withoutFigures(document: ReportDocument): ReportDocument {
  const sections = document.sections.map((section) => ({ ...section, figures: [] }));
  return { ...document, sections };
}
