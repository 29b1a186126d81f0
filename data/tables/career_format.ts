import type { Career, Education } from "../career.ts";
import { careerProblem, educationRule, isEducation, quote } from "../career_check.ts";
import { readLines, syntaxError } from "../lines.ts";
import type { CareerSplit } from "../split.ts";

/** The parts that CAREER's files come in. */
export const CAREER_PARTS = ["train", "valid", "test"] as const;

/** What a person has in each year, a token a year. */
const YEARLY = ["job", "year", "education"] as const;

/** What a person has once, a token a line. */
const FIXED = ["ethnicity", "gender", "location"] as const;

/** What files may have beside: the year of birth, and ids, which are ours and CAREER passes over. */
const OPTIONAL = ["year_of_birth", "id"] as const;

type Kind = (typeof YEARLY)[number] | (typeof FIXED)[number] | (typeof OPTIONAL)[number];

/** In place of a value that a person does not have; no value of a career has such brackets. */
const NONE = "<none>";

/**
 * Careers as the text files of CAREER: `train.job`, `train.year`, ..., one person a line, tokens
 * separated by spaces. `location` is the region. Within tokens but jobs, a space is written `_`, an
 * underscore `\_`, a backslash `\\`, a line break `\n` and a carriage return `\r`; what a person
 * does not have is `<none>`. `year_of_birth` is written if anybody has one. The name of the survey
 * is not kept.
 *
 * @returns The lines of each file, by its name.
 * @throws {RangeError} If a career is wrong, as `careerProblem()` says.
 * @see {@link https://github.com/keyonvafa/career-code | CAREER} (Vafa et al., 2022)
 */
export function careersToCareerFormat(split: CareerSplit): ReadonlyMap<string, Iterable<string>> {
  const hasBirthYears = CAREER_PARTS.some((part) =>
    split[part].some(({ birthYear }) => birthYear !== undefined),
  );
  const kinds: readonly Kind[] = [
    ...YEARLY,
    ...FIXED,
    ...(hasBirthYears ? (["year_of_birth"] as const) : []),
    "id",
  ];
  const files = new Map<string, Iterable<string>>();
  for (const part of CAREER_PARTS) {
    for (const career of split[part]) {
      const problem = careerProblem(career);
      if (problem === undefined) continue;
      throw new RangeError(`Cannot write the career of ${quote(career.id)}: ${problem}`);
    }
    for (const kind of kinds) files.set(`${part}.${kind}`, linesOf(split[part], kind));
  }
  return files;
}

function* linesOf(careers: readonly Career[], kind: Kind): Generator<string> {
  for (const career of careers) yield `${lineOf(career, kind)}\n`;
}

function lineOf(career: Career, kind: Kind): string {
  const { observations } = career;
  switch (kind) {
    case "job":
      return observations.map(({ occupation }) => occupation).join(" ");
    case "year":
      return observations.map(({ year }) => year).join(" ");
    case "education":
      return observations.map(({ education }) => escape(education)).join(" ");
    case "ethnicity":
      return escape(career.ethnicity);
    case "gender":
      return escape(career.gender);
    case "location":
      return career.region === undefined ? NONE : escape(career.region);
    case "year_of_birth":
      return career.birthYear === undefined ? NONE : String(career.birthYear);
    case "id":
      return escape(career.id);
  }
}

/** A folder of CAREER's files. */
export interface CareerFormatFolder {
  /** Its name, for errors. */
  readonly name: string;
  /** Opens a file, such as `train.job`, or gives undefined where there is none of that name. */
  open(file: string): Promise<ReadableStream<Uint8Array> | undefined>;
}

/**
 * Reads the text files of CAREER, as {@linkcode careersToCareerFormat} writes them and CAREER's own
 * preparation does: whichever of train, valid and test are there. Without `.id`, people are called
 * `train-1`, `train-2`, ... by their lines.
 *
 * @throws {SyntaxError} Naming file and line, if a file is missing, has fewer lines or tokens than
 *   the others, or a career is wrong.
 */
export async function readCareerFormat(folder: CareerFormatFolder): Promise<CareerSplit> {
  const split = { train: [] as Career[], valid: [] as Career[], test: [] as Career[] };
  const lineOfId = new Map<string, string>();
  for (const part of CAREER_PARTS) {
    for await (const { career, place } of readPart(folder, part)) {
      const earlier = lineOfId.get(career.id);
      if (earlier !== undefined) {
        throw syntaxError(
          place.file,
          place.line,
          `every id must occur once, got ${quote(career.id)} as in ${earlier}`,
        );
      }
      lineOfId.set(career.id, `${place.file}, line ${place.line}`);
      split[part].push(career);
    }
  }
  if (lineOfId.size > 0) return split;
  throw new SyntaxError(
    `Cannot read ${folder.name}: it must have the files train.job, valid.job or test.job, got no person`,
  );
}

interface Place {
  readonly file: string;
  readonly line: number;
}

async function* readPart(
  folder: CareerFormatFolder,
  part: (typeof CAREER_PARTS)[number],
): AsyncGenerator<{ readonly career: Career; readonly place: Place }, void> {
  const lines = new Map<Kind, AsyncGenerator<{ line: number; text: string }, void>>();
  for (const kind of [...YEARLY, ...FIXED, ...OPTIONAL]) {
    const file = `${part}.${kind}`;
    const stream = await folder.open(file);
    if (stream !== undefined) lines.set(kind, readLines(stream, { file }));
    else if (kind === "job") return;
    else if (!OPTIONAL.some((optional) => optional === kind)) {
      throw new SyntaxError(
        `Cannot read ${folder.name}: there must be ${file} beside ${part}.job, got no such file`,
      );
    }
  }
  for (let line = 1; ; line++) {
    const texts = new Map<Kind, string>();
    const ended: Kind[] = [];
    for (const [kind, reader] of lines) {
      const { done, value } = await reader.next();
      if (done === true) ended.push(kind);
      else texts.set(kind, value.text.replace(/\r$/, ""));
    }
    if (texts.size === 0) return;
    const [short] = ended;
    if (short !== undefined) {
      const [longer] = texts.keys();
      throw syntaxError(
        `${part}.${short}`,
        line,
        `all files of ${part} must have a line a person, got an end here where ${part}.${longer} goes on`,
      );
    }
    yield { career: careerOf(texts, part, line), place: { file: `${part}.job`, line } };
  }
}

function careerOf(texts: ReadonlyMap<Kind, string>, part: string, line: number): Career {
  const fail = (kind: Kind, problem: string): never => {
    throw syntaxError(`${part}.${kind}`, line, problem);
  };
  const tokens = (kind: Kind): string[] => (texts.get(kind) ?? "").trim().split(/ +/);
  const jobs = tokens("job");
  const count = (kind: Kind): string[] => {
    const found = tokens(kind);
    if (found.length === jobs.length) return found;
    const problem = `there must be as many tokens as jobs, ${jobs.length}, got ${found.length}`;
    return fail(kind, problem);
  };
  const single = (kind: Kind): string => {
    const found = tokens(kind);
    return found.length === 1
      ? (found[0] ?? "")
      : fail(kind, `there must be one token (write spaces in it as "_"), got ${found.length}`);
  };
  const text = (kind: Kind): string => unescape(single(kind)) ?? fail(kind, BACKSLASH);
  const year = (kind: Kind, token: string): number =>
    /^\d{4}$/.test(token)
      ? Number(token)
      : fail(kind, `it must be a year of four digits, got ${quote(token)}`);
  const years = count("year").map((token) => year("year", token));
  const levels = count("education").map((token, i): Education => {
    const level = unescape(token) ?? fail("education", BACKSLASH);
    if (level === "graduate degree") return "any graduate";
    const rule = `${educationRule(years[i] ?? 0)}, got ${quote(level)}`;
    return isEducation(level) ? level : fail("education", rule);
  });
  const isTold = (kind: Kind): boolean => texts.has(kind) && single(kind) !== NONE;
  const career: Career = {
    id: texts.has("id") ? text("id") : `${part}-${line}`,
    gender: text("gender"),
    ethnicity: text("ethnicity"),
    ...(isTold("location") ? { region: text("location") } : {}),
    ...(isTold("year_of_birth")
      ? { birthYear: year("year_of_birth", single("year_of_birth")) }
      : {}),
    observations: jobs.map((occupation, i) => ({
      year: years[i] ?? 0,
      education: levels[i] as Education,
      occupation,
    })),
  };
  const problem = careerProblem(career);
  return problem === undefined ? career : fail("job", problem);
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  [" ", "_"],
  ["_", String.raw`\_`],
  ["\\", String.raw`\\`],
  ["\n", String.raw`\n`],
  ["\r", String.raw`\r`],
]);

const UNESCAPED: ReadonlyMap<string, string> = new Map(
  [...ESCAPES].map(([char, escaped]) => [escaped, char]),
);

const BACKSLASH = String.raw`a backslash must stand before "_", "n", "r" or a backslash, got another`;

function escape(text: string): string {
  return text.replaceAll(/[ _\\\n\r]/g, (char) => ESCAPES.get(char) ?? char);
}

/** Undefined if a backslash stands for nothing. */
function unescape(token: string): string | undefined {
  const parts = token.match(/\\.?|_|[^\\_]+/gs) ?? [];
  if (parts.some((part) => part.startsWith("\\") && !UNESCAPED.has(part))) return undefined;
  return parts.map((part) => UNESCAPED.get(part) ?? part).join("");
}
