import { limitOf } from "../../../bench/cases/ceilings.ts";
import type { Group } from "../../../bench/cases/kernel_case.ts";
import { againstLimit, type BenchRow } from "../../../bench/report/row.ts";
import type { Roofline } from "../../../engine/profile/limit.ts";
import type { BenchEvent } from "../../engine/api.ts";

/** A case that was measured. */
export interface MeasuredRow {
  /** In the order of measuring, from 1: names it in the plot. */
  readonly number: number;
  readonly group: Group;
  readonly row: BenchRow;
}

/** What a run of the benchmark has found so far. */
export interface Findings {
  readonly roofline?: Roofline;
  readonly rows: readonly MeasuredRow[];
  readonly leftOut: readonly { readonly id: string; readonly why: string }[];
}

/** What a run has found before it began. */
export const NOTHING: Findings = { rows: [], leftOut: [] };

/** Findings and one event more. Ceilings that are measured again hold for all rows before. */
export function withEvent(findings: Findings, event: BenchEvent): Findings {
  const { rows, leftOut } = findings;
  if (event.kind === "left out") {
    const { id, why } = event;
    const others = leftOut.filter((one) => one.id !== id);
    return { ...findings, leftOut: [...others, { id, why }] };
  }
  if (event.kind === "row") {
    const { row, group } = event;
    const earlier = rows.findIndex((one) => one.row.id === row.id);
    // A run that begins again on another device measures again.
    if (earlier >= 0) return { ...findings, rows: rows.with(earlier, { ...rows[earlier]!, row }) };
    return { ...findings, rows: [...rows, { number: rows.length + 1, row, group }] };
  }
  const { kind: _kind, ...roofline } = event;
  const limitMs = limitOf(roofline);
  return {
    ...findings,
    roofline,
    rows: rows.map((one) => ({ ...one, row: againstLimit(one.row, limitMs) })),
  };
}

/** Half of the band's width, over the time: how far off it may be. */
export function uncertainty({ ms, lowMs, highMs }: BenchRow): number {
  return (highMs - lowMs) / 2 / ms;
}

/** Cases that were left out for the same reason, together. */
export function byReason({ leftOut }: Findings): ReadonlyMap<string, readonly string[]> {
  const ids = new Map<string, string[]>();
  for (const { id, why } of leftOut) ids.set(why, [...(ids.get(why) ?? []), id]);
  return ids;
}
