import { formatNumber } from "./format.ts";
import { table } from "./markdown.ts";
import type { BenchRow } from "./row.ts";

/** What of a file of results says where its figures come from. */
export interface Comparable {
  readonly commit?: string;
  readonly date?: string;
  readonly adapter?: Readonly<Record<string, unknown>>;
  readonly toggles?: readonly string[];
  readonly machine?: Readonly<Record<string, unknown>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly rows: readonly BenchRow[];
}

/** Whether a figure moved by more than noise, or has nothing to be compared with. */
export type Verdict = "faster" | "slower" | "same" | "new" | "gone";

/** One row of both files. */
export interface Comparison {
  readonly id: string;
  readonly verdict: Verdict;
  readonly oldMs?: number;
  readonly newMs?: number;
  /** Old time over new: above 1 is faster. With the noise band of both. */
  readonly ratio?: number;
  readonly low?: number;
  readonly high?: number;
}

/** Changes of less than this are none, however calm the machine. */
const LEAST_CHANGE = 0.02;

/**
 * Compares results row by row, by id.
 *
 * @param before Rows of the older file.
 * @param after Rows of the newer one; its order is kept, rows that are gone follow.
 */
export function compareRows(before: readonly BenchRow[], after: readonly BenchRow[]): Comparison[] {
  const old = new Map(before.map((row) => [row.id, row]));
  const ids = new Set(after.map(({ id }) => id));
  const gone = before.filter(({ id }) => !ids.has(id));
  return [
    ...after.map((row) => compareRow(old.get(row.id), row)),
    ...gone.map(({ id, ms }): Comparison => ({ id, verdict: "gone", oldMs: ms })),
  ];
}

function compareRow(before: BenchRow | undefined, { id, ms, lowMs, highMs }: BenchRow): Comparison {
  if (before === undefined) return { id, verdict: "new", newMs: ms };
  const [ratio, low, high] = [before.ms / ms, before.lowMs / highMs, before.highMs / lowMs];
  const verdict =
    low > 1 && ratio > 1 + LEAST_CHANGE
      ? "faster"
      : high < 1 && ratio < 1 - LEAST_CHANGE
        ? "slower"
        : "same";
  return { id, verdict, oldMs: before.ms, newMs: ms, ratio, low, high };
}

/** Why figures of two files may differ besides the code; empty if nothing is known to. */
export function compareConditions(before: Comparable, after: Comparable): string[] {
  const warnings: string[] = [];
  const differ = (what: string, one: unknown, other: unknown) => {
    const [first, second] = [JSON.stringify(one) ?? "nothing", JSON.stringify(other) ?? "nothing"];
    if (first !== second) warnings.push(`${what} differs: ${first} before, ${second} now`);
  };
  for (const key of ["kind", "vendor", "architecture", "driver"]) {
    differ(`the adapter's ${key}`, before.adapter?.[key], after.adapter?.[key]);
  }
  for (const key of ["cpu", "cores"]) {
    differ(`the machine's ${key}`, before.machine?.[key], after.machine?.[key]);
  }
  differ("the set of toggles", before.toggles ?? [], after.toggles ?? []);
  differ("the scale", before.options?.["scale"], after.options?.["scale"]);
  return warnings;
}

/** A comparison as Markdown: warnings, a summary, and a table that marks what moved. */
export function comparisonMarkdown(before: Comparable, after: Comparable): string {
  const rows = compareRows(before.rows, after.rows);
  const count = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict).length;
  const warnings = compareConditions(before, after).map((text) => `> Warning: ${text}\n`);
  const name = ({ commit = "?", date = "?" }: Comparable) => `${commit} (${date})`;
  const compared = rows.flatMap(({ ratio }) => ratio ?? []);
  const mean = Math.exp(
    compared.reduce((sum, ratio) => sum + Math.log(ratio), 0) / compared.length,
  );
  const summary =
    `${count("faster")} faster, ${count("slower")} slower, ${count("same")} the same within noise, ` +
    `${count("new")} new, ${count("gone")} gone` +
    (compared.length > 0 ? `; geometric mean of the ratios ${mean.toFixed(3)}` : "");
  const cells = rows.map(({ id, verdict, oldMs, newMs, ratio, low, high }) => [
    id,
    formatNumber(oldMs),
    formatNumber(newMs),
    ratio === undefined ? "-" : `${ratio.toFixed(2)}×`,
    low === undefined ? "-" : `${low.toFixed(2)}–${high!.toFixed(2)}`,
    { faster: "▲ faster", slower: "▼ slower", same: "", new: "new", gone: "gone" }[verdict],
  ]);
  return [
    `# ${name(before)} → ${name(after)}\n`,
    ...warnings,
    `${summary}\n`,
    table(["case", "before, ms", "now, ms", "ratio", "band", ""], cells),
  ].join("\n");
}
