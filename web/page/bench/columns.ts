import { formatNumber } from "../../../bench/report/format.ts";
import { type MeasuredRow, uncertainty } from "./findings.ts";
import { percent } from "../shell/words.ts";

/** A column of the table: what it says, and what rows are sorted by. */
export interface Column {
  readonly key: string;
  readonly name: string;
  /** What it means, in a sentence. */
  readonly hint: string;
  readonly isNumber: boolean;
  readonly text: (measured: MeasuredRow) => string;
  readonly value: (measured: MeasuredRow) => number | string | undefined;
}

/** Columns in their order. */
export const COLUMNS: readonly Column[] = [
  {
    key: "number",
    name: "#",
    hint: "The number of the point in the plot",
    isNumber: true,
    text: ({ number }) => String(number),
    value: ({ number }) => number,
  },
  {
    key: "case",
    name: "Case",
    hint: "The operation, what numbers are stored as, and whose sizes they are",
    isNumber: false,
    text: ({ row }) => row.id,
    value: ({ row }) => row.id,
  },
  {
    key: "shape",
    name: "Shape",
    hint: "Sizes of the operands",
    isNumber: false,
    text: ({ row }) => row.shape,
    value: ({ row }) => row.shape,
  },
  {
    key: "dtype",
    name: "Type",
    hint: "How the largest operands are stored",
    isNumber: false,
    text: ({ row }) => row.dtype,
    value: ({ row }) => row.dtype,
  },
  {
    key: "ms",
    name: "ms",
    hint: "The median time of one run, and how far off it may be",
    isNumber: true,
    text: ({ row }) => `${formatNumber(row.ms)} ± ${percent(uncertainty(row))}`,
    value: ({ row }) => row.ms,
  },
  {
    key: "gflops",
    name: "GFLOP/s",
    hint: "Billions of operations a second",
    isNumber: true,
    text: ({ row }) => formatNumber(row.gflops),
    value: ({ row }) => row.gflops,
  },
  {
    key: "gbps",
    name: "GB/s",
    hint: "Billions of bytes that must move at least, a second",
    isNumber: true,
    text: ({ row }) => formatNumber(row.gbps),
    value: ({ row }) => row.gbps,
  },
  {
    key: "limit",
    name: "Of limit",
    hint: "The least time that the device could take, over the time that it took",
    isNumber: true,
    text: ({ row }) => percent(row.limitShare),
    value: ({ row }) => row.limitShare,
  },
];

/** What a table is sorted by. */
export interface Order {
  readonly key: string;
  readonly isDescending: boolean;
}

/** Rows in an order; those without a value come last, those of one value as they were measured. */
export function sorted(
  rows: readonly MeasuredRow[],
  { key, isDescending }: Order,
): readonly MeasuredRow[] {
  const value = COLUMNS.find((column) => column.key === key)?.value ?? (() => undefined);
  const sign = isDescending ? -1 : 1;
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === undefined || b === undefined)
      return Number(a === undefined) - Number(b === undefined);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  });
}
