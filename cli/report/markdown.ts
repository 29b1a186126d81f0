import { checkDocument } from "./check_document.ts";
import type { Figure, ReportDocument, Section } from "./document.ts";
import { drawable } from "./drawable.ts";
import { escapeMarkdown } from "./escape.ts";
import { tableToMarkdown } from "./table_text.ts";

/**
 * A report as Markdown for GitHub: text and tables, and figures as links to `figures/<id>.svg`
 * beside it.
 *
 * @throws {RangeError} If an id is no name of a file or there twice, or a table is ragged.
 */
export function documentToMarkdown(document: ReportDocument): string {
  checkDocument(document);
  const { title, facts, sections } = document;
  const list = facts.map(
    ([label, value]) => `- **${escapeMarkdown(label)}:** ${escapeMarkdown(value)}`,
  );
  return `${[
    `# ${escapeMarkdown(title)}`,
    ...(list.length > 0 ? [list.join("\n")] : []),
    ...sections.flatMap(sectionToMarkdown),
  ].join("\n\n")}\n`;
}

function sectionToMarkdown({ title, text, tables, figures }: Section): string[] {
  return [
    `## ${escapeMarkdown(title)}`,
    ...text.map(escapeMarkdown),
    ...tables.map((table) => tableToMarkdown(table).trimEnd()),
    ...figures.map(figureToMarkdown),
  ].filter((part) => part !== "");
}

function figureToMarkdown(figure: Figure): string {
  const { id, title, caption } = figure;
  const notes = [caption, ...drawable(figure).notes].filter((part) => part !== undefined);
  const text = [`**${escapeMarkdown(title)}.**`, ...notes.map(escapeMarkdown)].join(" ");
  return `![${escapeMarkdown(title)}](figures/${id}.svg)\n\n${text}`;
}
