import type { MeasuredRoofline } from "../../engine/profile/roofline.ts";
import {
  groupDispatches,
  type Profile,
  type ProfileGroup,
  ratesOf,
  sumOf,
} from "../../engine/profile/profile.ts";
import { formatBytes } from "./format.ts";
import type { ProfiledModel } from "./profile.ts";

/** Characters of a bar that stands for all of the time. */
const BAR = 20;

/** Ops that the table shows; the rest is one line. */
const MOST_OPS = 20;

/** Three significant digits, without an exponent; a dash where there is no number. */
function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const digits = Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(6, Math.max(0, 2 - digits)));
}

/** A share of the time as blocks, to an eighth of a character. */
export function bar(share: number, width: number = BAR): string {
  const known = Number.isNaN(share) ? 0 : share; // of no time at all, on a coarse clock
  const eighths = Math.round(8 * width * Math.min(1, Math.max(0, known)));
  const part = eighths % 8 === 0 ? "" : "▏▎▍▌▋▊▉"[(eighths % 8) - 1]!;
  return ("█".repeat(Math.floor(eighths / 8)) + part).padEnd(width);
}

/** Columns side by side; the first is flush left, the others right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line).join("\n");
}

function groupTable(what: string, groups: readonly ProfileGroup[], totalMs: number): string {
  const rows = groups.map((group) => {
    const { gflopsPerSecond, gbPerSecond, shareOfLimit } = ratesOf(group);
    return [
      group.name,
      String(group.count),
      bar(group.ms / totalMs),
      totalMs > 0 ? `${((100 * group.ms) / totalMs).toFixed(1)} %` : "–",
      figure(group.ms),
      figure(gflopsPerSecond),
      figure(gbPerSecond),
      Number.isFinite(shareOfLimit) ? `${(100 * shareOfLimit).toFixed(0)} %` : "–",
    ];
  });
  const head = [what, "count", "".padEnd(BAR), "time", "ms", "GFLOP/s", "GB/s", "of limit"];
  return table(head, rows);
}

/** The slowest groups, and all others as one. */
function withRest(groups: readonly ProfileGroup[], most: number): ProfileGroup[] {
  if (groups.length <= most + 1) return [...groups];
  const rest = groups.slice(most);
  const sum = (value: (group: ProfileGroup) => number) =>
    rest.reduce((total, group) => total + value(group), 0);
  return [
    ...groups.slice(0, most),
    {
      name: `${rest.length} others`,
      count: sum(({ count }) => count),
      ms: sum(({ ms }) => ms),
      flops: sum(({ flops }) => flops),
      bytes: sum(({ bytes }) => bytes),
      limitMs: sum(({ limitMs }) => limitMs),
    },
  ];
}

/** A profile as tables: by kernel, by op, by phase, and totals. */
export function formatProfile({ name, numWeights, numTokens, profile }: ProfiledModel): string {
  const { dispatches } = profile;
  const { ms } = sumOf(dispatches);
  const by = (key: "kernel" | "op" | "phase") => groupDispatches(dispatches, key);
  return [
    `${name}: ${figure(numWeights / 1e6)} M weights, ${numTokens} tokens a step`,
    groupTable("kernel", by("kernel"), ms),
    groupTable("op", withRest(by("op"), MOST_OPS), ms),
    groupTable("phase", by("phase"), ms),
    totals(profile, numTokens),
  ].join("\n\n");
}

/** Sentences about the step as a whole. */
function totals(profile: Profile, numTokens: number): string {
  const { dispatches, replayMs, host, clock, resolutionMs, memory, roofline } = profile;
  const sum = sumOf(dispatches);
  const whole = { ...sum, ms: replayMs };
  const { gflopsPerSecond, gbPerSecond, shareOfLimit } = ratesOf(whole);
  const perDispatch = (1000 * host.encodeMs) / dispatches.length;
  const told =
    clock === "timestamps"
      ? `timestamps, to ${figure(1000 * resolutionMs)} µs`
      : "the host's clock, since the device has no timestamp queries: short dispatches are uncertain";
  const { allocated = 0, sharedActivations = 0, ...purposes } = memory;
  const parts = Object.entries(purposes)
    .filter(([, bytes]) => bytes > 0)
    .map(([purpose, bytes]) =>
      purpose === "activations"
        ? `activations ${formatBytes(bytes)} in ${formatBytes(sharedActivations)} that they share`
        : `${purpose} ${formatBytes(bytes)}`,
    );
  return [
    `Step in one pass: ${figure(replayMs)} ms, ${figure((1000 * numTokens) / replayMs)} tokens/s, ${figure(gflopsPerSecond)} GFLOP/s, ${figure(gbPerSecond)} GB/s`,
    ...(roofline === undefined
      ? []
      : [
          `Limit of this adapter: ${figure(sum.limitMs)} ms, so the step runs at ${figure(100 * shareOfLimit)} % of it`,
        ]),
    `Sum of ${sum.count} dispatches, each in a pass of its own: ${figure(sum.ms)} ms, ${compared(sum.ms - replayMs)} than in one`,
    `Host: encoding ${figure(host.encodeMs)} ms (${figure(perDispatch)} µs a dispatch), submitting ${figure(host.submitMs)} ms, ${host.submits} submit${host.submits === 1 ? "" : "s"} a step` +
      (host.compileMs === undefined ? "" : `; compiled in ${figure(host.compileMs)} ms`),
    `Memory: ${formatBytes(allocated)} allocated; ${parts.join(", ")}`,
    `Clock: ${told}`,
  ].join("\n");
}

function compared(ms: number): string {
  return `${figure(Math.abs(ms))} ms ${ms < 0 ? "less" : "more"}`;
}

/** Ceilings, and the launch that reached each. */
export function formatRoofline(adapter: string, { runs }: MeasuredRoofline): string {
  const kinds = {
    copy: "copy (read and written)",
    f32: "f32 multiply-adds",
    f16: "f16 multiply-adds",
    matrix: "subgroup matrices, f16 into f32",
  } as const;
  const rows = Object.entries(kinds).map(([kind, title]) => {
    const [best] = runs
      .filter((run) => run.kind === kind)
      .toSorted((one, other) => other.perSecond - one.perSecond);
    const unit = kind === "copy" ? "GB/s" : "GFLOP/s";
    return best === undefined
      ? [title, "–", "not on this device"]
      : [title, `${figure(best.perSecond / 1e9)} ${unit}`, best.shape];
  });
  const width = Math.max(...rows.map(([title]) => title!.length));
  const right = Math.max(...rows.map(([, rate]) => rate!.length));
  return [
    `Ceilings of ${adapter}, the best of ${runs.length} launches:`,
    ...rows.map(
      ([title, rate, shape]) => `${title!.padEnd(width)}  ${rate!.padStart(right)}  ${shape}`,
    ),
  ].join("\n");
}
