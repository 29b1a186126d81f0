import { alignments, cellText } from "./cells.ts";
import { checkTable } from "./check_document.ts";
import type { Cell, Table } from "./document.ts";
import { csvLines, escapeLatex, escapeMarkdown } from "./escape.ts";

/**
 * A table as CSV at full precision. A column with standard errors becomes two.
 *
 * @throws {RangeError} If the table is ragged or its id is no name of a file.
 */
export function tableToCsv(table: Table): string {
  checkTable(table);
  const { columns, rows } = table;
  const hasErrors = columns.map((_, index) => rows.some((row) => errorOf(row[index]!) !== null));
  const header = columns.flatMap(({ label }, index) =>
    hasErrors[index]! ? [label, `${label} (standard error)`] : [label],
  );
  const lines = rows.map((row) =>
    row.flatMap((cell, index) =>
      hasErrors[index]! ? [valueOf(cell), errorOf(cell)] : [valueOf(cell)],
    ),
  );
  return csvLines([header, ...lines]);
}

/**
 * A table as GitHub's Markdown: title, table, note. The best of a column is bold.
 *
 * @throws {RangeError} If the table is ragged or its id is no name of a file.
 */
export function tableToMarkdown(table: Table): string {
  checkTable(table);
  const { title, columns, rows, note } = table;
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rules = alignments(table).map((side) => (side === "right" ? "--:" : ":--"));
  const body = rows.map((row) =>
    line(
      row.map((cell, index) => {
        const { text, error, isBest } = cellText(cell, columns[index]!);
        const value = escapeMarkdown(text);
        const marked = isBest ? `**${value}**` : value;
        return error === undefined ? marked : `${marked} (${escapeMarkdown(error)})`;
      }),
    ),
  );
  const head = [line(columns.map(({ label }) => escapeMarkdown(label))), line(rules)];
  const parts = [`**${escapeMarkdown(title)}**`, [...head, ...body].join("\n")];
  if (note !== undefined) parts.push(escapeMarkdown(note));
  return `${parts.join("\n\n")}\n`;
}

/**
 * A table as LaTeX: a float with booktabs rules, standard errors in brackets, the best of a column
 * bold, label `tab:<id>`.
 *
 * @throws {RangeError} If the table is ragged or its id is no name of a file.
 */
export function tableToLatex(table: Table): string {
  checkTable(table);
  const { id, title, columns, rows, note } = table;
  const sides = alignments(table).map((side) => (side === "right" ? "r" : "l"));
  const line = (cells: readonly string[]) => `    ${cells.join(" & ")} \\\\`;
  const body = rows.map((row) =>
    line(
      row.map((cell, index) => {
        const { text, error, isBest } = cellText(cell, columns[index]!);
        const value = escapeLatex(text);
        const marked = isBest ? `\\textbf{${value}}` : value;
        return error === undefined ? marked : `${marked} {\\footnotesize (${escapeLatex(error)})}`;
      }),
    ),
  );
  return [
    "% \\usepackage{booktabs}, and \\usepackage[T1]{fontenc} for pdfLaTeX",
    "\\begin{table}",
    "  \\centering",
    `  \\caption{${escapeLatex(title)}}`,
    `  \\label{tab:${id}}`,
    `  \\begin{tabular}{${sides.join("")}}`,
    "    \\toprule",
    line(columns.map(({ label }) => escapeLatex(label))),
    "    \\midrule",
    ...body,
    "    \\bottomrule",
    "  \\end{tabular}",
    ...(note === undefined ? [] : [`  \\par\\smallskip\\footnotesize ${escapeLatex(note)}`]),
    "\\end{table}",
    "",
  ].join("\n");
}

function valueOf(cell: Cell): string | number | null {
  return typeof cell === "object" && cell !== null ? cell.value : cell;
}

function errorOf(cell: Cell): number | null {
  return typeof cell === "object" && cell !== null ? (cell.error ?? null) : null;
}
