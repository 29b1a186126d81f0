import type { Column, Figure, Section, Table } from "../../report/document.ts";

/** A section as it is put together; what is missing is left out. */
export interface SectionParts {
  readonly id: string;
  readonly title: string;
  readonly text?: readonly string[];
  readonly tables?: readonly (Table | undefined)[];
  readonly figures?: readonly (Figure | undefined)[];
}

/** A section with what there is; none if there is neither a table nor a figure. */
export function sectionOf(parts: SectionParts): Section | undefined {
  const tables = (parts.tables ?? []).filter((table) => table !== undefined);
  const figures = (parts.figures ?? []).filter((figure) => figure !== undefined);
  const isEmpty = tables.length === 0 && figures.length === 0;
  return isEmpty
    ? undefined
    : { id: parts.id, title: parts.title, text: parts.text ?? [], tables, figures };
}

/** The table, if it has rows. */
export function tableOf(table: Table): Table | undefined {
  return table.rows.length > 0 ? table : undefined;
}

/** Columns of these labels, with so many digits. */
export function columnsOf(labels: readonly string[], digits = 3): Column[] {
  return labels.map((label) => ({ label, digits, align: "right" }));
}

/** A number in a sentence: `"6.397"`, or `"1.00e+21"`. */
export function inWords(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "−∞" : "no number";
  const text = Math.abs(value) < 1e6 ? value.toFixed(3) : value.toExponential(2);
  return text.replace("-", "−");
}
