import type { Education } from "../career.ts";
import type { Coding } from "../crosswalk/coding.ts";

/** What a survey says of one person, read from its files, before rules make a career of it. */
export interface PersonRecord {
  readonly id: string;
  readonly gender?: string;
  readonly ethnicity?: string;
  readonly region?: string;
  readonly birthYear?: number;
  /** Where the person stands in its files, for reports: `"CPS80_occ_codes.csv:17"`. */
  readonly place: string;
  /** Years in ascending order, a year once. */
  readonly years: readonly YearRecord[];
}

/** What a survey says of one person in one year; what it does not say is absent. */
export interface YearRecord {
  readonly year: number;
  /** Highest education completed, as told in that year; it may contradict earlier years. */
  readonly education?: Education;
  /** Whether the person is a student. */
  readonly enrolled?: boolean;
  /** The labor-force status, most frequent of the year's weeks where the survey tells weeks. */
  readonly status?: LaborForceStatus;
  /** Occupation as the survey codes it. */
  readonly occupation?: { readonly code: string; readonly coding: Coding };
}

/** What a person is to the labor market. */
export type LaborForceStatus = "employed" | "unemployed" | "not_in_labor_force";
