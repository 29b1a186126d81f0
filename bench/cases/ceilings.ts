import { limitMs, type Roofline } from "../../engine/profile/limit.ts";
import type { MeasuredRoofline, RooflineOptions } from "../../engine/profile/roofline.ts";
import type { LimitMs } from "../report/row.ts";
import type { Scale } from "./kernel_case.ts";

/** How an adapter's ceilings are measured beside cases of a scale: on a CPU, launches are short. */
export const CEILING_EFFORT: Readonly<Record<Scale, RooflineOptions>> = {
  small: { scale: 0.1 },
  full: {},
};

/** The least time of work under a roofline. */
export function limitOf(roofline: Roofline): NonNullable<LimitMs> {
  return ({ dtype, ...work }) => limitMs(roofline, { ...work, halves: dtype === "f16" });
}

/** The higher of each ceiling of two measurements: a ceiling is the most that was ever reached. */
export function higher(one: MeasuredRoofline, other: MeasuredRoofline): MeasuredRoofline {
  const runs = [...one.runs, ...other.runs];
  const both: { -readonly [Key in keyof MeasuredRoofline]: MeasuredRoofline[Key] } = {
    ...one,
    runs,
  };
  for (const key of [
    "bytesPerSecond",
    "flopsPerSecond",
    "halfFlopsPerSecond",
    "matrixFlopsPerSecond",
  ] as const) {
    const rate = other[key];
    if (rate !== undefined && !(both[key]! >= rate)) both[key] = rate;
  }
  return both;
}
