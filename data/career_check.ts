import { EDUCATION_LEVELS, type Career, type Education, type Observation } from "./career.ts";
import { isOccupation, OCCUPATION_CODE_RULE } from "./occupations.ts";

/** Longest text of a field in a resume, in UTF-16 units. */
const MAX_FIELD_LENGTH = 200;

// Words of printable characters with single spaces between: no control, format (such as
// bidirectional overrides), surrogate or separator characters, and no angle brackets, which
// open the end mark and the special tokens.
const PLAIN_TEXT = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Z}<>]+(?: [^\p{Cc}\p{Cf}\p{Cs}\p{Z}<>]+)*$/u;

/** Half of a character outside the basic plane; in pairs they are not `Cs`. */
const LONE_SURROGATE = /\p{Cs}/u;

const FIRST_YEAR = 1000;
const LAST_YEAR = 9999;

/**
 * Says what is wrong with a career: `"<what must hold>, got <what is>"`.
 *
 * What passes can be written as a resume that no field can forge: each field stays within
 * its line, and the line reads back to the same fields.
 *
 * @returns The first problem, or `undefined` if there is none.
 */
export function careerProblem(career: Career): string | undefined {
  const { id, dataset, gender, ethnicity, region, birthYear, observations } = career;
  if (id === "" || LONE_SURROGATE.test(id)) {
    return `the id must be well-formed text of at least one character, got ${quote(id)}`;
  }
  return (
    (dataset === undefined ? undefined : textProblem("dataset", dataset)) ??
    textProblem("gender", gender) ??
    (gender.includes(" ")
      ? `the gender must be one word (join words with "-"), got ${quote(gender)}`
      : undefined) ??
    textProblem("ethnicity", ethnicity) ??
    (ethnicity.includes("US worker")
      ? `the ethnicity must not contain "US worker", which ends it in a resume, got ${quote(ethnicity)}`
      : undefined) ??
    (region === undefined ? undefined : textProblem("region", region)) ??
    (birthYear === undefined ? undefined : yearProblem("birth year", birthYear)) ??
    observationsProblem(observations)
  );
}

/** Says what is wrong with a text that goes into a resume, or `undefined`. */
export function textProblem(what: string, text: string): string | undefined {
  if (text.length <= MAX_FIELD_LENGTH && PLAIN_TEXT.test(text)) return undefined;
  return (
    `the ${what} must be 1 to ${MAX_FIELD_LENGTH} printable characters on one line, without ` +
    `"<", ">" or doubled, leading or trailing spaces, got ${quote(text)}`
  );
}

/** Says what is wrong with a year, or `undefined`. */
function yearProblem(what: string, year: number): string | undefined {
  if (Number.isInteger(year) && year >= FIRST_YEAR && year <= LAST_YEAR) return undefined;
  return `the ${what} must be a year of four digits, got ${year}`;
}

function observationsProblem(observations: readonly Observation[]): string | undefined {
  if (observations.length === 0) return "the history must have at least one year, got none";
  let previous: Observation | undefined;
  for (const observation of observations) {
    const { year, education, occupation } = observation;
    const problem = yearProblem("survey year", year);
    if (problem !== undefined) return problem;
    const rank = EDUCATION_LEVELS.indexOf(education);
    if (rank < 0) return `${educationRule(year)}, got ${quote(education)}`;
    if (!isOccupation(occupation)) {
      return `in ${year} ${OCCUPATION_CODE_RULE}, got ${quote(occupation)}`;
    }
    if (previous !== undefined) {
      if (year <= previous.year) {
        return (
          `the years must ascend and not repeat (sort the rows; keep one a year), ` +
          `got ${year} after ${previous.year}`
        );
      }
      if (rank < EDUCATION_LEVELS.indexOf(previous.education)) {
        return (
          `education must never decrease (carry the highest level forward), ` +
          `got "${education}" in ${year} after "${previous.education}"`
        );
      }
    }
    previous = observation;
  }
  return undefined;
}

/** Whether `text` is one of {@linkcode EDUCATION_LEVELS}. */
export function isEducation(text: string): text is Education {
  return EDUCATION_LEVELS.some((level) => level === text);
}

/** What an education level must be, for error sentences. */
export function educationRule(year: number): string {
  const levels = EDUCATION_LEVELS.map((level) => `"${level}"`).join(", ");
  return `the education in ${year} must be one of ${levels}`;
}

/** `text` in quotes, escaped and shortened, fit for one line of an error. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
