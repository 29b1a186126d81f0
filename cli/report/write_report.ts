import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CliError, EXIT } from "../platform/errors.ts";
import { fileError } from "../platform/files.ts";
import { writeFolder } from "../platform/new_folder.ts";
import { checkDocument } from "./check_document.ts";
import type { ReportDocument } from "./document.ts";
import { figureToCsv } from "./figure_data.ts";
import { figureToSvg } from "./figure_svg.ts";
import { type Link, renderHtml } from "./html.ts";
import { documentToMarkdown } from "./markdown.ts";
import { modelCard, type ModelCardInput } from "./model_card.ts";
import { tableToCsv, tableToLatex, tableToMarkdown } from "./table_text.ts";

/** What a report writes, and what systems leave in folders that people look at. */
const OURS =
  /^(?:index\.html|report\.md|tables\/[a-z0-9-]+\.(?:csv|md|tex)|figures\/[a-z0-9-]+\.(?:csv|svg)|model_cards\/[a-z0-9-]+\.md|(?:.*\/)?(?:\.DS_Store|Thumbs\.db|desktop\.ini))$/;

/**
 * Checks, before hours of work for it, that a report may be written into a folder: it is new,
 * empty, or holds an earlier report and nothing else, which will be replaced.
 *
 * @throws {CliError} With exit code 2 if not.
 */
export async function checkReportFolder(folder: string): Promise<void> {
  const stranger = (await filesIn(folder)).find((path) => !OURS.test(path));
  if (stranger === undefined) return;
  throw new CliError(
    EXIT.usage,
    `Cannot write the report "${folder}": the folder must be new or empty, or hold an earlier ` +
      `report alone, got "${stranger}" in it; move that away, or write elsewhere`,
  );
}

/**
 * Writes a report, all of it or nothing: `index.html`, the same as `report.md`, each table as
 * `tables/<id>.csv`, `.md` and `.tex`, each figure as `figures/<id>.svg` with its data as `.csv`,
 * and `model_cards/<id>.md`. An earlier report is replaced.
 *
 * @returns Paths of the files, relative to the folder.
 * @throws {RangeError} If an id is no name of a file or there twice, or a table is ragged.
 * @throws {CliError} With exit code 2 if the folder holds anything but a report, with exit code 1
 *   if the disk is full, read-only or fails.
 */
export async function writeReport(
  folder: string,
  document: ReportDocument,
  { modelCards = [] }: { readonly modelCards?: readonly ModelCardInput[] } = {},
): Promise<string[]> {
  const files = reportFiles(document, modelCards);
  await checkReportFolder(folder);
  const names = new Set([...files.keys()].map((path) => path.split("/")[0]!));
  for (const path of await filesIn(folder)) names.add(path.split("/")[0]!);
  await writeFolder(
    folder,
    [...files].map(([name, text]) => ({ name, chunks: [text] })),
    { overwrite: true, isReplaceable: (name) => names.has(name) },
  );
  return [...files.keys()];
}

/** The files of a report by their paths; the page comes last, once all that it links to is there. */
function reportFiles(
  document: ReportDocument,
  modelCards: readonly ModelCardInput[],
): Map<string, string> {
  checkDocument(document);
  const files = new Map<string, string>();
  for (const { tables, figures } of document.sections) {
    for (const table of tables) {
      files.set(`tables/${table.id}.csv`, tableToCsv(table));
      files.set(`tables/${table.id}.md`, tableToMarkdown(table));
      files.set(`tables/${table.id}.tex`, tableToLatex(table));
    }
    for (const figure of figures) {
      files.set(`figures/${figure.id}.csv`, figureToCsv(figure));
      files.set(`figures/${figure.id}.svg`, figureToSvg(figure));
    }
  }
  const links: Link[] = [{ path: "report.md", text: "this report as Markdown" }];
  for (const card of modelCards) {
    const path = `model_cards/${card.id}.md`;
    if (files.has(path)) {
      throw new RangeError(
        `Cannot write a report: ids of model cards must be unique, got "${card.id}" twice`,
      );
    }
    files.set(path, modelCard(card));
    links.push({ path, text: `model card of ${card.name}` });
  }
  files.set("report.md", documentToMarkdown(document));
  files.set("index.html", renderHtml(document, links));
  return files;
}

/** Paths of all files in a folder and its folders; none if there is no such folder. */
async function filesIn(folder: string, under = ""): Promise<string[]> {
  const entries = await readdir(join(folder, under), { withFileTypes: true }).catch(
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw fileError("write", folder, { error, exitCode: EXIT.usage });
    },
  );
  const nested = entries.map(async (entry) => {
    const path = under === "" ? entry.name : `${under}/${entry.name}`;
    return entry.isDirectory() ? await filesIn(folder, path) : [path];
  });
  return (await Promise.all(nested)).flat().toSorted();
}
