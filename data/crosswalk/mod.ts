/**
 * Occupations of several censuses in the classification that all models share, occ1990dd.
 *
 * @module
 */
import { isOccupation, OCCUPATIONS } from "../occupations.ts";
import { CENSUS_1970 } from "./census1970.ts";
import { CENSUS_1980 } from "./census1980.ts";
import { CENSUS_1990 } from "./census1990.ts";
import { CENSUS_2000 } from "./census2000.ts";
import { CENSUS_2002 } from "./census2002.ts";
import { type Coding, CODINGS } from "./coding.ts";

export { type Coding, CODINGS } from "./coding.ts";

/** Digits of the codes of a census, and its table: `4<3,4` says that 3 and 4 become 4, `7` that 7 stays. */
const TABLES = {
  census1970: { digits: 3, text: CENSUS_1970 },
  census1980: { digits: 3, text: CENSUS_1980 },
  census1990: { digits: 3, text: CENSUS_1990 },
  census2000: { digits: 3, text: CENSUS_2000 },
  census2002: { digits: 4, text: CENSUS_2002 },
} as const;

const parsed = new Map<Coding, ReadonlyMap<string, string>>();

/**
 * The occupation of our vocabulary that a survey's code stands for.
 *
 * Leading zeros do not count: `"007"` and `"7"` are one code. The codes of Census 1970 to 2000 have
 * up to three digits, those of Census 2002 up to four: there `"4760"` is retail salespersons, and
 * `"476"` is no code, for it would have to be guessed whether `0476` or `4760` was meant; a column
 * of such codes is `census2000`. With the coding `occ1990dd`, a code stands for itself, and so do the
 * statuses (`"unemployed"`).
 *
 * @param coding The survey's classification.
 * @param code As the survey writes it.
 * @returns A code of `OCCUPATIONS`, or `undefined` where the coding has no such code: numbers that
 *   stand for an answer that is missing (`"-4"`, `"0"`), unemployed people without an occupation,
 *   mistakes in the survey.
 * @throws {TypeError} If there is no such coding.
 *
 * @example
 * ```ts ignore
 * toOcc1990dd("census1980", "276"); // "276", cashiers
 * toOcc1990dd("census2002", "0010"); // "4", chief executives
 * ```
 */
export function toOcc1990dd(coding: Coding, code: string): string | undefined {
  if (coding === "occ1990dd") {
    const plain = withoutZeros(code);
    return isOccupation(plain) ? plain : undefined;
  }
  const { digits } = tableOf(coding);
  if (!/^\d+$/.test(code) || code.length > digits) return undefined;
  return codesOf(coding).get(withoutZeros(code));
}

/**
 * All codes of a coding, without leading zeros, with the occupation each stands for.
 *
 * @returns `[code, occ1990dd]`, in the order of the occupations.
 * @throws {TypeError} If there is no such coding.
 */
export function* crosswalkEntries(coding: Coding): Generator<readonly [string, string], void> {
  if (coding === "occ1990dd") {
    for (const { code } of OCCUPATIONS) yield [code, code];
  } else {
    yield* codesOf(coding);
  }
}

function codesOf(coding: Exclude<Coding, "occ1990dd">): ReadonlyMap<string, string> {
  const known = parsed.get(coding);
  if (known !== undefined) return known;
  const codes = new Map<string, string>();
  for (const entry of tableOf(coding).text.trim().split(/\s+/)) {
    const [target = "", sources = target] = entry.split("<");
    for (const source of sources.split(",")) codes.set(source, target);
  }
  parsed.set(coding, codes);
  return codes;
}

function tableOf(coding: Exclude<Coding, "occ1990dd">): (typeof TABLES)[keyof typeof TABLES] {
  if (Object.hasOwn(TABLES, coding)) return TABLES[coding];
  throw new TypeError(
    `Cannot look up an occupation: the coding must be one of ${CODINGS.join(", ")}, ` +
      `got ${JSON.stringify(coding)}`,
  );
}

function withoutZeros(code: string): string {
  return code.replace(/^0+(?=\d)/, "");
}
