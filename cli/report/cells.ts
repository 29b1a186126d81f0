import type { Cell, Column, Table } from "./document.ts";

/** Digits after the point where a column does not say. */
const DIGITS = 3;

/** A cell as words, the same in every language but for escapes and marks. */
export interface CellText {
  readonly text: string;
  /** Standard error without its brackets. */
  readonly error?: string;
  readonly isBest: boolean;
}

/** What a cell reads: digits as its column says, `–` for nothing, `n/a` for what is no number. */
export function cellText(cell: Cell, { digits = DIGITS }: Column): CellText {
  if (cell === null) return { text: "–", isBest: false };
  if (typeof cell === "string") return { text: cell, isBest: false };
  if (typeof cell === "number") return { text: numberText(cell, digits), isBest: false };
  const { value, error, best: isBest = false } = cell;
  const text = numberText(value, digits);
  if (error === undefined || !Number.isFinite(value)) return { text, isBest };
  return { text, error: numberText(error, digits), isBest };
}

/**
 * A number with a fixed count of digits after the point and a real minus sign; thousands are set
 * apart from five digits on, so that years read as years.
 */
export function numberText(value: number, digits: number): string {
  if (Number.isNaN(value)) return "n/a";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(digits).replaceAll("-", "−");
  const [whole = "", fraction] = size.toFixed(digits).split(".");
  const grouped = whole.length > 4 ? whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ",") : whole;
  const text = fraction === undefined ? grouped : `${grouped}.${fraction}`;
  return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}

/** Where the cells of each column stand: as it says, else right for numbers and left for text. */
export function alignments({ columns, rows }: Table): ("left" | "right")[] {
  return columns.map((column, index) => {
    if (column.align !== undefined) return column.align;
    const cells = rows.map((row) => row[index]!).filter((cell) => cell !== null);
    const isNumeric = cells.length > 0 && cells.every((cell) => typeof cell !== "string");
    return isNumeric ? "right" : "left";
  });
}
