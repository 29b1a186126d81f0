import type { Career } from "./career.ts";
import { Random } from "./random.ts";

/** What of a person can be drawn from others. */
export type ShuffledField = "gender" | "ethnicity" | "region";

/** Options of {@linkcode shuffleFields}. */
export interface ShuffleOptions {
  readonly fields: readonly ShuffledField[];
  readonly seed: number;
}

/**
 * Gives people the demographics of others of the same group by one permutation, so that each value
 * occurs as often as before but says nothing of whom it is told; several fields travel together,
 * as they belong to the person that they come from. An absent region travels, too.
 *
 * A permutation of fields together keeps how they go with each other; to break that as well, shuffle
 * one field after the other.
 *
 * @param careers The group; it is left as it is.
 * @param options Which fields, at least one, and the seed.
 * @returns The careers in the same order, otherwise unchanged.
 * @throws {RangeError} If no field is named.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}, on randomized demographics
 */
export function shuffleFields(
  careers: readonly Career[],
  { fields, seed }: ShuffleOptions,
): Career[] {
  if (fields.length === 0) {
    throw new RangeError("Cannot shuffle demographics: at least one field must be named, got none");
  }
  const names = [...new Set(fields)].toSorted();
  const donors = Random.from(seed, "shuffled demographics", ...names).shuffle(careers);
  return careers.map((career, index) => {
    const given = new Map(names.map((name) => [name, donors[index]![name]]));
    const { region, ...rest } = career;
    const kept = given.has("region") ? given.get("region") : region;
    return {
      ...rest,
      ...(given.has("gender") && { gender: given.get("gender")! }),
      ...(given.has("ethnicity") && { ethnicity: given.get("ethnicity")! }),
      ...(kept !== undefined && { region: kept }),
    };
  });
}

/** A stretch of a career whose last observations are asked about. */
export interface HistoryPiece {
  /** The person with a stretch of the observations. */
  readonly career: Career;
  /** Index, in the whole career, of the first observation of the stretch. */
  readonly begin: number;
  /** First observation of the stretch that is asked about; those before it are only told. */
  readonly askedFrom: number;
}

/**
 * Cuts a career so that each observation is preceded by its latest `rows` years alone. Together the
 * pieces ask about every observation once, in order.
 *
 * @param career What stands in the header of a resume is kept.
 * @param rows Years told before each observation, at least 1: the one before is needed to tell
 *   whether somebody stayed.
 * @returns First the stretch of all observations with no more than `rows` before them, then one
 *   piece for each of the others.
 * @throws {RangeError} If `rows` is not a positive integer.
 */
export function historyPieces(career: Career, rows: number): HistoryPiece[] {
  if (!Number.isInteger(rows) || rows < 1) {
    throw new RangeError(
      `Cannot cut a history: rows must be an integer of at least 1, got ${rows}`,
    );
  }
  const { observations } = career;
  const stretch = (begin: number, end: number): Career => ({
    ...career,
    observations: observations.slice(begin, end),
  });
  const pieces = [{ career: stretch(0, rows + 1), begin: 0, askedFrom: 0 }];
  for (let index = rows + 1; index < observations.length; index++) {
    const begin = index - rows;
    pieces.push({ career: stretch(begin, index + 1), begin, askedFrom: rows });
  }
  return pieces;
}
