import {
  type Career,
  encodeResume,
  occupationIndex,
  type ResumeOptions,
  type Tokenizer,
} from "../../data/mod.ts";
import type { Fields } from "../../model/checkpoint/fields.ts";
import type { JsonObject } from "../../model/checkpoint/strict_json.ts";
import type { Person } from "../../model/occupation/occupation_model.ts";

/** How careers become text, the same when a model learns and when it is asked. */
export interface Wording {
  readonly dataset: string;
  readonly birthYear: boolean;
  readonly titles: "authentic" | "numeric";
  readonly titleSeed: number;
  /** A career is cut to this many of its latest years; 0 for all. */
  readonly lastRows: number;
}

/** Options of the resume that say the same. Years are cut from the career, not here. */
export function resumeOptions({ dataset, birthYear, titles, titleSeed }: Wording): ResumeOptions {
  return { dataset, birthYear, titles, titleSeed };
}

/** The latest years of a career, as many as the wording tells. */
export function cutCareer(career: Career, { lastRows }: Pick<Wording, "lastRows">): Career {
  if (lastRows === 0) return career;
  return { ...career, observations: career.observations.slice(-lastRows) };
}

/** A career as the occupation models see it: indices for those that count, tokens for those that read. */
export function personOf(career: Career, tokenizer: Tokenizer, wording: Wording): Person {
  return {
    career,
    occupations: career.observations.map(({ occupation }) => occupationIndex(occupation)),
    resume: encodeResume(career, tokenizer, resumeOptions(wording)),
  };
}

/** A wording as JSON. */
export function wordingToJson(wording: Wording): JsonObject {
  return { ...wording };
}

/**
 * Reads a wording back.
 *
 * @throws {SyntaxError} If a field is missing or of another kind, naming it.
 */
export function wordingFromJson(fields: Fields): Wording {
  const dataset = fields.raw("dataset");
  return {
    dataset: typeof dataset === "string" ? dataset : fields.refuse("dataset", "must be text"),
    birthYear: fields.boolean("birthYear"),
    titles: fields.choice("titles", ["authentic", "numeric"]),
    titleSeed: fields.number("titleSeed"),
    lastRows: fields.number("lastRows"),
  };
}
