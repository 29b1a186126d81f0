/**
 * A Markdown table with aligned columns, the first to the left, the others to the right.
 *
 * @param rows Cells by row, the heading first; all rows as long as the heading.
 * @returns The table, without a line break at its end.
 */
export function alignTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) => {
    const cells = widths.map((width, column) => {
      const cell = row[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${cells.join(" | ")} |`;
  });
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`,
  );
  return [lines[0], `|${rule.join("|")}|`, ...lines.slice(1)].join("\n");
}

/** A perplexity, or a figure like it, for people: `"7.312"`, `"451.3"`, `"3.1e7"`; `"-"` if there is none. */
export function formatFigure(value: number): string {
  if (Number.isNaN(value)) return "-";
  if (value === Infinity) return "∞";
  if (value >= 1e6) return value.toExponential(1).replace("+", "");
  return value.toFixed(value < 100 ? 3 : 1);
}
