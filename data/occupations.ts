import { OCCUPATION_TABLE } from "./occupation_table.ts";

/** What a person can do in a year: an occupation of occ1990dd, or a status outside work. */
export interface Occupation {
  /** occ1990dd code (`"275"`, `"999"`), or `"education"`, `"not_in_labor_force"`, `"unemployed"`. */
  readonly code: string;
  /** Title in words, unlike every other title: `"Sales counter clerks"`. */
  readonly title: string;
}

/** Codes of the years a person does not work. */
export const STATUSES = ["education", "not_in_labor_force", "unemployed"] as const;

/**
 * The vocabulary of LABOR-LLM: 331 occ1990dd codes in ascending order, the special code
 * `"999"`, then the three {@linkcode STATUSES}. An occupation's index in a model, a metric
 * or a file is its place in this list, so the order never changes.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}
 */
export const OCCUPATIONS: readonly Occupation[] = OCCUPATION_TABLE.map(([code, title]) =>
  Object.freeze({ code, title }),
);

/** Number of occupations in the vocabulary, statuses included: 335. */
export const NUM_OCCUPATIONS: number = OCCUPATIONS.length;

const INDEX_OF_CODE: ReadonlyMap<string, number> = new Map(
  OCCUPATIONS.map(({ code }, index) => [code, index]),
);
const STATUS_CODES: ReadonlySet<string> = new Set(STATUSES);

/** Whether `code` is in the vocabulary. */
export function isOccupation(code: string): boolean {
  return INDEX_OF_CODE.has(code);
}

/** Whether `code` is a status (in education, not in the labor force, unemployed), not a job. */
export function isStatus(code: string): boolean {
  return STATUS_CODES.has(code);
}

/**
 * Index of an occupation in {@linkcode OCCUPATIONS}.
 *
 * @param code occ1990dd code or status.
 * @returns An index from 0 to 334.
 * @throws {RangeError} If `code` is not in the vocabulary.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(OCCUPATIONS[occupationIndex("435")]?.title, "Waiters and waitresses");
 * ```
 */
export function occupationIndex(code: string): number {
  const index = INDEX_OF_CODE.get(code);
  if (index === undefined) {
    throw new RangeError(
      `Cannot look up an occupation: ${OCCUPATION_CODE_RULE}, got ${JSON.stringify(code)}`,
    );
  }
  return index;
}

/** What an occupation code must be, and the remedy, for error sentences. */
export const OCCUPATION_CODE_RULE: string =
  `the code must be one of the ${NUM_OCCUPATIONS} in OCCUPATIONS, an occ1990dd code without ` +
  `leading zeros such as "275" or one of ${STATUSES.map((s) => `"${s}"`).join(", ")} ` +
  `(map other classifications to occ1990dd first)`;
