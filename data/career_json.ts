import type { Career, Observation } from "./career.ts";
import { educationRule, isEducation, quote } from "./career_check.ts";
import { syntaxError } from "./lines.ts";

/** Where a line of JSON stands, for errors. */
export interface JsonPlace {
  readonly file: string;
  readonly line: number;
}

const CAREER_KEYS = ["id", "dataset", "gender", "ethnicity", "region", "birthYear", "observations"];
const OBSERVATION_KEYS = ["year", "education", "occupation"];

/** One career as one line of JSON, without the line feed, keys in a fixed order. */
export function careerToJson(career: Career): string {
  const { id, dataset, gender, ethnicity, region, birthYear, observations } = career;
  return JSON.stringify({
    id,
    dataset,
    gender,
    ethnicity,
    region,
    birthYear,
    observations: observations.map(({ year, education, occupation }) => ({
      year,
      education,
      occupation,
    })),
  });
}

/**
 * Careers as a stream of JSON lines, which `readCareers()` reads back with format `"jsonl"`.
 *
 * @param careers Drawn one at a time, as the consumer of the stream asks for more.
 * @returns UTF-8 bytes, a line feed after each career.
 */
export function careersToJsonl(
  careers: Iterable<Career> | AsyncIterable<Career>,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const lines = (async function* () {
    for await (const career of careers) yield encoder.encode(`${careerToJson(career)}\n`);
  })();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await lines.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await lines.return();
    },
  });
}

/**
 * Reads the shape of a career from a line of JSON; `careerProblem()` checks its content.
 *
 * @throws {SyntaxError} If the line is not a JSON object of the keys of {@linkcode Career},
 * each with a value of its type.
 */
export function careerFromJson(jsonLine: string, place: JsonPlace): Career {
  const { file, line } = place;
  let json: unknown;
  try {
    json = JSON.parse(jsonLine);
  } catch {
    throw syntaxError(file, line, `a line must be one JSON object, got ${quote(jsonLine)}`);
  }
  const fields = objectFields(json, { what: "a career", keys: CAREER_KEYS, place });
  const fail = (key: string, type: string): never => {
    throw syntaxError(file, line, `${key} must be ${type}, got ${describe(fields.get(key))}`);
  };
  const text = (key: string): string => {
    const value = fields.get(key);
    return typeof value === "string" ? value : fail(key, "a string");
  };
  const number = (key: string): number => {
    const value = fields.get(key);
    return typeof value === "number" ? value : fail(key, "a number");
  };
  const observations = fields.get("observations");
  if (!Array.isArray(observations)) return fail("observations", "an array");
  return {
    id: text("id"),
    ...(fields.has("dataset") ? { dataset: text("dataset") } : {}),
    gender: text("gender"),
    ethnicity: text("ethnicity"),
    ...(fields.has("region") ? { region: text("region") } : {}),
    ...(fields.has("birthYear") ? { birthYear: number("birthYear") } : {}),
    observations: observations.map((value) => observationOf(value, place)),
  };
}

function observationOf(json: unknown, place: JsonPlace): Observation {
  const fields = objectFields(json, { what: "an observation", keys: OBSERVATION_KEYS, place });
  const year = fields.get("year");
  const education = fields.get("education");
  const occupation = fields.get("occupation");
  if (typeof year !== "number" || typeof education !== "string" || typeof occupation !== "string") {
    throw syntaxError(
      place.file,
      place.line,
      "an observation must have a number year and strings education and occupation, " +
        `got ${describe(year)}, ${describe(education)} and ${describe(occupation)}`,
    );
  }
  if (!isEducation(education)) {
    throw syntaxError(place.file, place.line, `${educationRule(year)}, got ${quote(education)}`);
  }
  return { year, education, occupation };
}

interface ObjectRule {
  readonly what: string;
  readonly keys: readonly string[];
  readonly place: JsonPlace;
}

/** The entries of an object whose keys are all known; a map, so that no key means anything else. */
function objectFields(json: unknown, { what, keys, place }: ObjectRule): Map<string, unknown> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw syntaxError(
      place.file,
      place.line,
      `${what} must be a JSON object, got ${describe(json)}`,
    );
  }
  const fields = new Map<string, unknown>(Object.entries(json));
  const stranger = [...fields.keys()].find((key) => !keys.includes(key));
  if (stranger !== undefined) {
    throw syntaxError(
      place.file,
      place.line,
      `${what} may have the keys ${keys.join(", ")}, got ${quote(stranger)}`,
    );
  }
  return fields;
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
