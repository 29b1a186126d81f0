import type { Career, Observation } from "./career.ts";
import { careerProblem, isEducation, quote } from "./career_check.ts";
import { OCCUPATIONS } from "./occupations.ts";
import { END_MARK, FIXED_WORDING, resumeTitles, type ResumeOptions } from "./resume.ts";

// The wording has no characters that a regular expression would read otherwise.
const { opening, history, birth, records } = FIXED_WORDING;
const FIRST_LINE = new RegExp(`^${opening} (?<dataset>[^<>]+) dataset>$`);
const PERSON_LINE = new RegExp(
  String.raw`^${history} (?<gender>\S+) (?<ethnicity>.+?) US worker` +
    String.raw`(?: residing in the (?<region>.+) region)?\.$`,
);
const BIRTH_LINE = new RegExp(String.raw`^${birth}(?<birthYear>\d{4})\.$`);
const ROW = /^(?<year>\d{4}) \((?<education>[a-z ]+)\): (?<title>.+)$/;

/** A career read back from its resume. */
export interface ParsedResume {
  /** Name of the survey. */
  readonly dataset: string;
  readonly career: Career;
}

/** Options for {@linkcode parseResume}. */
export interface ParseResumeOptions extends Pick<ResumeOptions, "titles" | "titleSeed"> {
  /** Identifier of the person, which the text does not tell. */
  readonly id: string;
}

/**
 * Reads a resume back: the inverse of `renderResume()`, save what its options left out.
 *
 * @throws {SyntaxError} If a line is not what the template has at its place, naming the line.
 */
export function parseResume(text: string, options: ParseResumeOptions): ParsedResume {
  const { id } = options;
  const lines = text.split("\n");
  let line = 0;
  const fail = (expected: string): never => {
    throw new SyntaxError(
      `Cannot parse the resume of career ${quote(id)}, line ${line + 1}: ` +
        `the line must be ${expected}, got ${quote(lines[line] ?? "")}`,
    );
  };
  const match = (pattern: RegExp, expected: string): Record<string, string | undefined> => {
    const groups = pattern.exec(lines[line] ?? "")?.groups ?? fail(expected);
    line++;
    return groups;
  };

  const { dataset = "" } = match(FIRST_LINE, '"<A worker from the … dataset>"');
  const { gender = "", ethnicity = "", region } = match(PERSON_LINE, "the line on the person");
  const told = BIRTH_LINE.test(lines[line] ?? "");
  const { birthYear } = told ? match(BIRTH_LINE, "the line on the birth") : {};
  if (lines[line] !== records) fail(quote(records));
  line++;

  const occupationOf = new Map(
    resumeTitles(options).map((title, i) => [title, OCCUPATIONS[i]?.code ?? ""]),
  );
  const observations: Observation[] = [];
  while (lines[line] !== END_MARK) {
    const { year, education = "", title = "" } = match(ROW, `a year's row or ${END_MARK}`);
    const occupation = occupationOf.get(title);
    if (occupation === undefined || !isEducation(education)) {
      line--;
      return fail("a row with an education level and a title of the vocabulary");
    }
    observations.push({ year: Number(year), education, occupation });
  }
  if (line !== lines.length - 1) fail("the last line of the resume");

  const career: Career = {
    id,
    gender,
    ethnicity,
    ...(region === undefined ? {} : { region }),
    ...(birthYear === undefined ? {} : { birthYear: Number(birthYear) }),
    observations,
  };
  const problem = careerProblem(career);
  if (problem !== undefined) {
    throw new SyntaxError(`Cannot parse the resume of career ${quote(id)}: ${problem}`);
  }
  return { dataset, career };
}
