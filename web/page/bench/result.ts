import type { Scale } from "../../../bench/cases/kernel_case.ts";
import type { Comparable } from "../../../bench/report/compare.ts";
import { formatNumber } from "../../../bench/report/format.ts";
import type { DeviceInfo } from "../../engine/api.ts";
import type { Findings } from "./findings.ts";
import { ceilingsOf } from "./roofline_plot.ts";

/** Where and how a run took place. */
export interface RunConditions {
  readonly device: DeviceInfo;
  readonly scale: Scale;
  readonly quick: boolean;
  /** What the browser calls itself. */
  readonly browser: string;
  readonly cores: number;
  readonly version: string;
  /** ISO 8601. */
  readonly date: string;
}

/** A run as `npm run bench` writes it, so that its `--compare` reads it. */
export function resultOf(findings: Findings, conditions: RunConditions): Comparable {
  const { device, scale, quick, browser, cores, version, date } = conditions;
  const { name, isSoftware, hasFloat16, subgroupSize, ...limits } = device;
  const result = {
    date: date.slice(0, 10),
    adapter: { kind: isSoftware ? "software" : "gpu", driver: name },
    features: hasFloat16 ? ["shader-f16"] : [],
    toggles: [],
    machine: { cores },
    versions: { tenure: version, browser },
    options: { scale, quick, tuning: "off" },
    device: { subgroupSize, ...limits },
    numTuned: 0,
    roofline: findings.roofline,
    rows: findings.rows.map(({ row }) => row),
    failures: findings.leftOut.map(({ id, why }) => ({ id, message: why })),
  };
  return result;
}

/** A run in a line, to go with a link or a file. */
export function summaryOf(
  { roofline, rows }: Findings,
  { device, version }: RunConditions,
): string {
  const limits =
    roofline === undefined
      ? ""
      : ` Memory ${formatNumber(roofline.bytesPerSecond / 1e9)} GB/s, ${ceilingsOf(roofline)
          .map(({ name, gflops }) => `${name} ${formatNumber(gflops)} GFLOP/s`)
          .join(", ")}.`;
  return `tenure ${version} on ${device.name}: ${rows.length} kernels measured in a browser.${limits}`;
}

/** A file's name without what folders and systems object to. */
export function fileNameOf({ device, date }: RunConditions): string {
  const name = device.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const stem = name.slice(0, 40).replaceAll(/^-|-$/g, "") || "device";
  return `bench-${stem}-${date.slice(0, 10)}.json`;
}
