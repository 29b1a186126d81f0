import type { Outcome } from "./fuzz_case.ts";

/** The most that a case took of something, and which case. */
export interface Extreme {
  value: number;
  index: number;
}

/** What came of many cases of a kind. */
export interface BatchReport {
  readonly kind: string;
  cases: number;
  failures: number;
  /** Cases by result: `loaded`, or the type of the error. */
  readonly results: Record<string, number>;
  slowestMs: Extreme;
  /** Bytes allocated beyond a case's size, garbage included. */
  mostAllocated: Extreme;
  /** Allocated bytes as a multiple of the file's, of files of 100 kilobytes and more. */
  worstRatio: Extreme;
  /** Cases in whose midst garbage was collected, so that allocations are not known. */
  unmeasured: number;
  /** Peak of the process's memory, everything included. */
  maxRssBytes: number;
}

/** What a failing case was. */
export interface FailureReport {
  readonly kind: string;
  readonly index: number;
  /** Name of the damaged file. */
  readonly target: string;
  readonly changes: readonly string[];
  readonly message: string;
  /** The damaged file, made small, in base64. */
  readonly bytes: string;
}

/** Smallest file whose ratio of memory says something. */
const RATIO_BYTES = 100_000;

const NONE: Readonly<Extreme> = { value: 0, index: -1 };

/** A report of no cases yet. */
export function emptyReport(kind: string): BatchReport {
  return {
    kind,
    cases: 0,
    failures: 0,
    results: {},
    slowestMs: NONE,
    mostAllocated: NONE,
    worstRatio: NONE,
    unmeasured: 0,
    maxRssBytes: 0,
  };
}

/** Counts a case that went well. */
export function addOutcome(report: BatchReport, outcome: Outcome & { index: number }): void {
  const { index, result, ms, size, allocated } = outcome;
  report.cases += 1;
  report.results[result] = (report.results[result] ?? 0) + 1;
  report.slowestMs = larger(report.slowestMs, { value: ms, index });
  if (allocated <= 0) report.unmeasured += 1;
  report.mostAllocated = larger(report.mostAllocated, { value: allocated, index });
  if (size >= RATIO_BYTES) {
    report.worstRatio = larger(report.worstRatio, { value: allocated / size, index });
  }
}

/** Adds one report to another. */
export function merge(a: BatchReport, b: BatchReport): BatchReport {
  const results = { ...a.results };
  for (const [result, n] of Object.entries(b.results)) results[result] = (results[result] ?? 0) + n;
  return {
    kind: a.kind,
    cases: a.cases + b.cases,
    failures: a.failures + b.failures,
    results,
    slowestMs: larger(a.slowestMs, b.slowestMs),
    mostAllocated: larger(a.mostAllocated, b.mostAllocated),
    worstRatio: larger(a.worstRatio, b.worstRatio),
    unmeasured: a.unmeasured + b.unmeasured,
    maxRssBytes: Math.max(a.maxRssBytes, b.maxRssBytes),
  };
}

/** A table of reports, one line a kind. */
export function table(reports: readonly BatchReport[]): string {
  const head = ["kind", "cases", "failures", "loaded", "Syntax", "Range", "Type"].concat([
    "slowest ms",
    "allocated MiB",
    "× large file",
    "unmeasured",
    "peak MiB",
  ]);
  const mebi = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const rows = reports.map(({ kind, cases, failures, results, ...report }) => [
    kind,
    String(cases + failures),
    String(failures),
    ...["loaded", "SyntaxError", "RangeError", "TypeError"].map((key) => String(results[key] ?? 0)),
    report.slowestMs.value.toFixed(0),
    mebi(report.mostAllocated.value),
    report.worstRatio.index < 0 ? "-" : report.worstRatio.value.toFixed(1),
    String(report.unmeasured),
    mebi(report.maxRssBytes),
  ]);
  const lines = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join("  "),
    )
    .join("\n");
}

function larger(a: Extreme, b: Extreme): Extreme {
  return b.value > a.value ? b : a;
}
