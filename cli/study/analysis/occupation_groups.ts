import { isStatus } from "../../../data/mod.ts";

/**
 * Broad groups of occ1990dd by the last code of each, ascending, as the Census of 1990 orders
 * occupations.
 *
 * @see {@link https://www.ddorn.net/data.htm | Autor & Dorn's occ1990dd}
 */
const GROUPS: readonly (readonly [lastCode: number, name: string])[] = [
  [37, "Managers"],
  [199, "Professionals"],
  [235, "Technicians"],
  [283, "Sales"],
  [389, "Clerical"],
  [408, "Cleaning and laundry"],
  [427, "Protective service"],
  [472, "Other service"],
  [498, "Farming"],
  [549, "Mechanics"],
  [617, "Construction, mining"],
  [699, "Precision production"],
  [799, "Machine operators"],
  [889, "Transport, laborers"],
  [999, "Other"],
];

/** Statuses by their codes, in words. */
const STATUS_NAMES: Readonly<Record<string, string>> = {
  education: "In education",
  not_in_labor_force: "Not in labor force",
  unemployed: "Unemployed",
};

/** Names of all groups: of occupations, then statuses. */
export const GROUP_NAMES: readonly string[] = [
  ...GROUPS.map(([, name]) => name),
  ...Object.values(STATUS_NAMES),
];

/**
 * Index of the broad group of an occupation.
 *
 * @param code occ1990dd code or status, one of `OCCUPATIONS`.
 * @returns An index into `GROUP_NAMES`.
 */
export function groupIndex(code: string): number {
  if (isStatus(code)) return GROUP_NAMES.indexOf(STATUS_NAMES[code]!);
  return GROUPS.findIndex(([lastCode]) => Number(code) <= lastCode);
}
