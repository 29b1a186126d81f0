import { quote } from "../career_check.ts";
import { syntaxError } from "../lines.ts";
import { educationOfSchooling } from "./degree_words.ts";
import {
  HistoryBuilder,
  type PersonalHistory,
  plainText,
  readDate,
  type YearMonth,
} from "./personal_history.ts";

type Fields = ReadonlyMap<string, unknown>;

/**
 * Reads jobs and schools of a JSON Resume: `work` (`name`, `position`, `startDate`, `endDate`) and
 * `education` (`institution`, `area`, `studyType`, `startDate`, `endDate`). Nothing else is looked
 * at. A job without an end goes on.
 *
 * @param text The file.
 * @param file Its name, for errors.
 * @throws {SyntaxError} If it is no JSON, or no resume: an object with a list `work` or `education`.
 * @see {@link https://jsonresume.org/schema | JSON Resume}
 */
export function readJsonResume(text: string, file: string): PersonalHistory {
  const resume = fieldsOf(parseJson(text, file));
  const [work, education] = [resume?.get("work"), resume?.get("education")];
  if (resume === undefined || (work === undefined && education === undefined)) {
    throw syntaxError(
      file,
      1,
      `a JSON Resume must be an object with a list "work" or "education", got ` +
        `${resume === undefined ? "another kind of JSON" : `the keys ${quote([...resume.keys()].join(", "))}`} ` +
        "(see jsonresume.org/schema)",
    );
  }
  const builder = new HistoryBuilder();
  for (const [place, fields] of entriesOf(work, { file, key: "work", builder })) {
    addWork(builder, place, fields);
  }
  for (const [place, fields] of entriesOf(education, { file, key: "education", builder })) {
    addEducation(builder, place, fields);
  }
  return builder.build();
}

function addWork(builder: HistoryBuilder, place: string, fields: Fields): void {
  const dates = datesOf(builder, place, fields);
  if (dates === undefined) return;
  const { begin, end } = dates;
  if (begin === undefined) {
    builder.leaveOut(place, "left out: a job must have a startDate, got none");
    return;
  }
  const employer = textOf(fields, "name") || textOf(fields, "company");
  builder.addPosition(place, {
    title: textOf(fields, "position"),
    ...(employer !== "" && { employer }),
    begin,
    ...(end !== undefined && { end }),
  });
}

function addEducation(builder: HistoryBuilder, place: string, fields: Fields): void {
  const dates = datesOf(builder, place, fields);
  if (dates === undefined) return;
  const [degree, area] = [textOf(fields, "studyType"), textOf(fields, "area")];
  const school = textOf(fields, "institution");
  const level = educationOfSchooling(degree, { area, school });
  builder.addSchooling(place, {
    text: [degree, area, school].filter((part) => part !== "").join(", "),
    ...(level !== undefined && { level }),
    ...dates,
  });
}

/** Both dates, or undefined where one is wrong, which is noted. */
function datesOf(
  builder: HistoryBuilder,
  place: string,
  fields: Fields,
): { begin?: YearMonth; end?: YearMonth } | undefined {
  const dates: { begin?: YearMonth; end?: YearMonth } = {};
  for (const [key, side] of [
    ["startDate", "begin"],
    ["endDate", "end"],
  ] as const) {
    const read = readDate(textOf(fields, key));
    if ("problem" in read) {
      builder.leaveOut(place, `left out: ${key}: ${read.problem}`);
      return undefined;
    }
    if (read.date !== undefined) dates[side] = read.date;
  }
  return dates;
}

/** The objects of a list, with their places; what is no object is noted. */
function* entriesOf(
  list: unknown,
  { file, key, builder }: { file: string; key: string; builder: HistoryBuilder },
): Generator<[string, Fields], void, undefined> {
  if (list === undefined || list === null) return;
  if (!Array.isArray(list)) {
    throw syntaxError(file, 1, `"${key}" must be a list, got another kind of JSON`);
  }
  for (const [i, item] of list.entries()) {
    const place = `${file}, ${key}[${i}]`;
    const fields = fieldsOf(item);
    if (fields === undefined)
      builder.leaveOut(place, "left out: it must be an object, got another");
    else yield [place, fields];
  }
}

/** The entries of an object; a map, so that no key means anything else. */
function fieldsOf(json: unknown): Fields | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  return new Map<string, unknown>(Object.entries(json));
}

function textOf(fields: Fields, key: string): string {
  const value = fields.get(key);
  return typeof value === "string" || typeof value === "number" ? plainText(`${value}`) : "";
}

function parseJson(text: string, file: string): unknown {
  const plain = text.replace(/^\uFEFF/, "");
  try {
    return JSON.parse(plain);
  } catch (error) {
    throw syntaxError(
      file,
      lineOfError((error as Error).message, plain),
      "the text must be whole JSON (check commas, quotes and brackets there), got what is none",
    );
  }
}

/** Where the parser stopped, as far as its message tells: engines differ. */
function lineOfError(message: string, text: string): number {
  const line = /\bline (\d+)/.exec(message)?.[1];
  if (line !== undefined) return Number(line);
  const position = /\bposition (\d+)/.exec(message)?.[1];
  return text.slice(0, position === undefined ? text.length : Number(position)).split("\n").length;
}
