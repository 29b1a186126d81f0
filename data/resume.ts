import type { Career, Education, Observation } from "./career.ts";
import { careerProblem, textProblem } from "./career_check.ts";
import { NUM_OCCUPATIONS, occupationIndex, OCCUPATIONS } from "./occupations.ts";
import { Random } from "./random.ts";

/** Last line of every resume. */
export const END_MARK = "<END OF DATA>";

/**
 * The wording that is the same in every resume; the text of a person stands between. Each is
 * one piece to a tokenizer trained on resumes.
 */
export const FIXED_WORDING: Readonly<Record<"opening" | "history" | "birth" | "records", string>> =
  {
    opening: "<A worker from the",
    history: "The following information is available about the work history of a",
    birth: "The worker was born in ",
    records:
      "The worker has the following records of work experience, one entry per line, " +
      "including year, education level, and the job title:",
  };

/** How a career is worded. */
export interface ResumeOptions {
  /**
   * Name of the survey, as the first line gives it, of careers that name none themselves.
   *
   * @default {"NLSY97"}
   */
  readonly dataset?: string;
  /**
   * Whether the year of birth is told, where known; without is the paper's "NBY".
   *
   * @default {true}
   */
  readonly birthYear?: boolean;
  /**
   * `"authentic"` titles, or `"numeric"` ones, `job_000` to `job_334` in random order, which
   * take the meaning out of the titles.
   *
   * @default {"authentic"}
   */
  readonly titles?: "authentic" | "numeric";
  /**
   * Seed of the order of numeric titles.
   *
   * @default {0}
   */
  readonly titleSeed?: number;
  /** Tells only this many of the latest years; all of them when absent. */
  readonly lastRows?: number;
}

/** A career in words, and where each title stands in it. */
export interface Resume {
  readonly text: string;
  readonly titles: readonly ResumeTitle[];
}

/** The title `text.slice(start, end)`, with the space before it, without the line feed after. */
export interface ResumeTitle {
  readonly start: number;
  readonly end: number;
  /** Index into the career's observations. */
  readonly observation: number;
}

/** A resume in parts, none of which tokenization may join: see `RESUME_PATTERN`. */
export interface ResumeParts {
  /** Lines before the years, each ending in a line feed. */
  readonly header: readonly string[];
  readonly rows: readonly ResumeRow[];
}

/** A line of a resume: `prefix` + `title` + a line feed. */
export interface ResumeRow {
  /** `"1996 (some college):"`. */
  readonly prefix: string;
  /** `" Cooks"`. */
  readonly title: string;
  /** Index into the career's observations. */
  readonly observation: number;
}

/**
 * Words a career as LABOR-LLM does, one line a year:
 *
 *     <A worker from the PSID dataset>
 *     The following information is available about the work history of a female black or
 *     african american US worker residing in the south region.
 *     The worker was born in 1963.
 *     The worker has the following records of work experience, one entry per line, …
 *     1984 (some college): Cooks
 *     <END OF DATA>
 *
 * (the second line is one). Where the region is absent, " residing in the … region" is left
 * out, and where the year of birth is, its line. No field can forge a line or the mark:
 * texts with control characters, line breaks or angle brackets are refused.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}
 *
 * @throws {RangeError} If the career or an option is not fit for a resume, with the remedy.
 */
export function renderResume(career: Career, options: ResumeOptions = {}): Resume {
  const { header, rows } = resumeParts(career, options);
  let text = header.join("");
  const titles = rows.map(({ prefix, title, observation }) => {
    const start = text.length + prefix.length;
    const end = start + title.length;
    text += `${prefix}${title}\n`;
    return { start, end, observation };
  });
  return { text: text + END_MARK, titles };
}

/** A year of which the occupation is asked. */
export interface Question {
  readonly year: number;
  readonly education: Education;
}

/**
 * The resume up to `"1996 (some college):"`, after which a model continues with a title.
 *
 * @param career Its observations before the year in question are told, later ones are not.
 * @throws {RangeError} As {@linkcode renderResume}.
 */
export function renderPrompt(
  career: Career,
  question: Question,
  options: ResumeOptions = {},
): string {
  const { header, rows } = promptParts(career, question, options);
  const told = rows.map(({ prefix, title }) => `${prefix}${title}\n`);
  return [...header, ...told, rowPrefix(question)].join("");
}

/** The parts of {@linkcode renderResume}; the end mark follows them. */
export function resumeParts(career: Career, options: ResumeOptions = {}): ResumeParts {
  const problem = careerProblem(career);
  if (problem !== undefined) throw cannotRender(career, problem);
  return { header: headerLines(career, options), rows: rowsOf(career.observations, options) };
}

/** The parts of {@linkcode renderPrompt} before the row in question. */
export function promptParts(
  career: Career,
  question: Question,
  options: ResumeOptions = {},
): ResumeParts {
  const { year, education } = question;
  const told = career.observations.filter((observation) => observation.year < year);
  // The question is checked as the observation it asks for, with any occupation.
  const asked: Observation = { year, education, occupation: "unemployed" };
  const problem = careerProblem({ ...career, observations: [...told, asked] });
  if (problem !== undefined) throw cannotRender(career, problem);
  return { header: headerLines(career, options), rows: rowsOf(told, options) };
}

/** `"1996 (some college):"`. */
export function rowPrefix({ year, education }: Question): string {
  return `${year} (${education}):`;
}

const NUMERIC_TITLES = new Map<number, readonly string[]>();
const AUTHENTIC_TITLES: readonly string[] = OCCUPATIONS.map(({ title }) => title);

/** The titles of {@linkcode OCCUPATIONS}, in its order, as resumes under these options word them. */
export function resumeTitles({ titles, titleSeed = 0 }: ResumeOptions = {}): readonly string[] {
  if (titles !== "numeric") return AUTHENTIC_TITLES;
  let numeric = NUMERIC_TITLES.get(titleSeed);
  if (numeric === undefined) {
    if (!Number.isSafeInteger(titleSeed)) {
      throw new RangeError(
        `Cannot number the titles: the titleSeed must be an integer, got ${titleSeed}`,
      );
    }
    const numbers = Array.from({ length: NUM_OCCUPATIONS }, (_, i) => String(i).padStart(3, "0"));
    const shuffled = Random.from(titleSeed, "numeric titles").shuffle(numbers);
    numeric = shuffled.map((number) => `job_${number}`);
    NUMERIC_TITLES.set(titleSeed, numeric);
  }
  return numeric;
}

function headerLines(career: Career, options: ResumeOptions): string[] {
  const { birthYear = true } = options;
  const { gender, ethnicity, region, dataset = options.dataset ?? "NLSY97" } = career;
  const problem = textProblem("dataset", dataset);
  if (problem !== undefined) throw cannotRender(career, problem);
  const residing = region === undefined ? "" : ` residing in the ${region} region`;
  return [
    `${FIXED_WORDING.opening} ${dataset} dataset>\n`,
    `${FIXED_WORDING.history} ${gender} ${ethnicity} US worker${residing}.\n`,
    ...(birthYear && career.birthYear !== undefined
      ? [`${FIXED_WORDING.birth}${career.birthYear}.\n`]
      : []),
    `${FIXED_WORDING.records}\n`,
  ];
}

function rowsOf(observations: readonly Observation[], options: ResumeOptions): ResumeRow[] {
  const { lastRows = observations.length } = options;
  if (!Number.isInteger(lastRows) || lastRows < 0) {
    throw new RangeError(
      `Cannot render a resume: lastRows must be an integer of at least 0, got ${lastRows}`,
    );
  }
  const titles = resumeTitles(options);
  const first = Math.max(0, observations.length - lastRows);
  return observations.slice(first).map((observation, i) => ({
    prefix: rowPrefix(observation),
    title: ` ${titles[occupationIndex(observation.occupation)]}`,
    observation: first + i,
  }));
}

function cannotRender({ id }: Career, problem: string): RangeError {
  return new RangeError(`Cannot render the resume of career ${JSON.stringify(id)}: ${problem}`);
}
