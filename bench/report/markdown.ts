import { formatBytes, formatNumber, formatShare } from "./format.ts";
import { type BenchRow, SUITE_GROUPS } from "./row.ts";

/** A column of the tables: its head, and its cells. */
interface Column {
  readonly head: string;
  readonly cell: (row: BenchRow) => string;
}

const COLUMNS: readonly Column[] = [
  { head: "case", cell: ({ id }) => id },
  { head: "ms", cell: ({ ms }) => formatNumber(ms) },
  { head: "± %", cell: ({ ms, lowMs, highMs }) => formatNumber((50 * (highMs - lowMs)) / ms) },
  { head: "GFLOP/s", cell: ({ gflops }) => formatNumber(gflops) },
  { head: "GB/s", cell: ({ gbps }) => formatNumber(gbps) },
  { head: "of limit", cell: ({ limitShare }) => formatShare(limitShare) },
  { head: "tokens/s", cell: ({ tokensPerSecond }) => formatNumber(tokensPerSecond) },
  { head: "first ms", cell: ({ firstMs }) => formatNumber(firstMs) },
  { head: "peak", cell: ({ peakBytes }) => formatBytes(peakBytes) },
  { head: "error", cell: ({ error }) => formatNumber(error) },
];

/** Rows as Markdown, a table for each group; columns that say nothing of a group are left out. */
export function rowsMarkdown(rows: readonly BenchRow[]): string {
  return SUITE_GROUPS.map((group) => ({
    group,
    members: rows.filter((row) => row.group === group),
  }))
    .filter(({ members }) => members.length > 0)
    .map(({ group, members }) => {
      const columns = COLUMNS.filter(({ cell }) => members.some((row) => cell(row) !== "-"));
      const cells = members.map((row) => columns.map(({ cell }) => cell(row)));
      return `## ${group}\n\n${table(
        columns.map(({ head }) => head),
        cells,
      )}`;
    })
    .join("\n");
}

/** A Markdown table: the first column of text, the others of numbers, all padded to be read as is. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows].map((cells) => cells.map(escapeCell));
  const widths = head.map((_, i) => Math.max(3, ...lines.map((cells) => cells[i]!.length)));
  const format = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = widths.map((width, i) =>
    i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  const [first, ...others] = lines;
  return `${[format(first!), `| ${rule.join(" | ")} |`, ...others.map(format)].join("\n")}\n`;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
