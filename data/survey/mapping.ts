import { z } from "zod";
import { type Education, EDUCATION_LEVELS } from "../career.ts";
import { readCheckedYaml } from "../checked_yaml.ts";
import { type Coding, CODINGS } from "../crosswalk/coding.ts";
import type { StatusPriority } from "./build_careers.ts";
import type { LaborForceStatus } from "./person_record.ts";

/** A code, or a range of codes: `"-4"`, `"100..9999"`. */
const CODE = /^-?\d{1,15}$|^\d{1,15}\.\.\d{1,15}$/;
const codeSchema = z.string().regex(CODE, 'must be a code or a range such as "100..9999"');

/** What a value may also say: nothing that counts. */
const UNKNOWN = "unknown";

/** What codes mean. */
const valuesOf = <T extends z.ZodType>(meaning: T) =>
  z.record(codeSchema, z.union([meaning, z.literal(UNKNOWN)]));

const STATUSES = ["employed", "unemployed", "not_in_labor_force"] as const;

/** First and last year that a survey may have. */
const FIRST_YEAR = 1900;
const LAST_YEAR = 2100;
const yearSchema = z.int().min(FIRST_YEAR).max(LAST_YEAR);
const yearsSchema = z
  .array(z.union([yearSchema, z.string().regex(/^\d{4}-\d{4}$/, 'must be as "1979-1994"')]))
  .min(1)
  .transform((parts) => [...new Set(parts.flatMap(yearsOf))].toSorted((a, b) => a - b));

const sourceSchema = z
  .strictObject({
    column: z.string().min(1).optional(),
    question: z.string().min(1).optional(),
    by_year: z.record(z.string().regex(/^\d{4}$/), z.string().min(1)).optional(),
    file: z.string().min(1).optional(),
    week_one: z.iso.date().optional(),
  })
  .refine(
    ({ column, question, by_year: byYear }) =>
      [column, question, byYear].filter((each) => each !== undefined).length === 1,
    "must have one of column, question and by_year",
  );

const from = z.array(sourceSchema).min(1);
const optional = z.boolean().default(false);

const mappingSchema = z.strictObject({
  survey: z.string().min(1),
  format: z.literal("nls"),
  years: yearsSchema.optional(),
  priority: z
    .tuple([z.enum(["student", "status"]), z.enum(["student", "status"]), z.literal("occupation")])
    .refine(([first, second]) => first !== second, "must name each of student and status once")
    .default(["student", "status", "occupation"]),
  id: z.strictObject({ from }),
  gender: z.strictObject({ from, values: valuesOf(z.string().min(1)) }),
  ethnicity: z.strictObject({ from, values: valuesOf(z.string().min(1)) }),
  birth_year: z.strictObject({ from, add: z.int().default(0), optional }).optional(),
  region: z.strictObject({ from, values: valuesOf(z.string().min(1)), optional }).optional(),
  education: z
    .array(z.strictObject({ from, values: valuesOf(z.enum(EDUCATION_LEVELS)), optional }))
    .min(1),
  enrollment: z.strictObject({ from, values: valuesOf(z.boolean()), optional }).optional(),
  occupation: z
    .array(
      z.strictObject({
        from,
        coding: z.enum(CODINGS),
        missing: valuesOf(z.enum(STATUSES)).default({}),
        optional,
      }),
    )
    .min(1),
  status: z.strictObject({ from, values: valuesOf(z.enum(STATUSES)), optional }).optional(),
});

/** Where a variable is found. Of `column`, `question` and `by_year`, one is given. */
export interface Source {
  /** Name of a column or reference number, perhaps with `{year}`, `{yy}`, `{week}`. */
  readonly column?: string | undefined;
  /** Name of a question, as the codebook has it, perhaps with the same. */
  readonly question?: string | undefined;
  /** A column for each year. */
  readonly by_year?: Readonly<Record<string, string>> | undefined;
  /** Name of the file that it is in, perhaps with `*`; without it, any. */
  readonly file?: string | undefined;
  /** Day on which week 1 begins, where weeks are numbered through. */
  readonly week_one?: string | undefined;
}

/** Variables that tell the same. */
interface Variables {
  readonly from: readonly Source[];
}

/** Variables, and what their codes and ranges of codes mean. */
interface Coded<T> extends Variables {
  readonly values: Readonly<Record<string, T | typeof UNKNOWN>>;
}

interface Optional {
  /** Whether a download may lack all of it. */
  readonly optional: boolean;
}

/** Which variables of a survey make careers, and what their codes mean. */
export interface SurveyMapping {
  /** Name of the survey, as resumes give it. */
  readonly survey: string;
  /** How its files are read. */
  readonly format: "nls";
  /** Years that may become person-years; all years that say something of work where there is none. */
  readonly years?: readonly number[] | undefined;
  /** What decides a year, the first that is told: a student, no job, a job. */
  readonly priority: StatusPriority;
  readonly id: Variables;
  readonly gender: Coded<string>;
  readonly ethnicity: Coded<string>;
  /** `add`: what makes a year of the codes. */
  readonly birth_year?: (Variables & Optional & { readonly add: number }) | undefined;
  readonly region?: (Coded<string> & Optional) | undefined;
  /** The highest level that any of them tells in a year. */
  readonly education: readonly (Coded<Education> & Optional)[];
  readonly enrollment?: (Coded<boolean> & Optional) | undefined;
  /** The first that tells an occupation in a year. */
  readonly occupation: readonly (Variables & Optional & OccupationCodes)[];
  /** The most frequent status of a year's variables: one a year, or one a week. */
  readonly status?: (Coded<LaborForceStatus> & Optional) | undefined;
}

interface OccupationCodes {
  readonly coding: Coding;
  /** Codes that are no occupation, and what they say of the year. */
  readonly missing: Coded<LaborForceStatus>["values"];
}

/**
 * Reads a mapping as people write it, in YAML; `docs/surveys.md` says what may stand in it.
 *
 * @param text Content of the file.
 * @param file Name of the file, for errors.
 * @throws {SyntaxError} With file and path of every problem, and the nearest known key.
 */
export function readMapping(text: string, file: string): SurveyMapping {
  return readCheckedYaml(text, mappingSchema, file);
}

/** What a code means: something, nothing (`"unknown"`), or undefined where it is not listed. */
export type Meaning<T> = (code: string) => T | typeof UNKNOWN | undefined;

/** Makes a lookup of codes and ranges of codes; a code is looked up by its number. */
export function meaningOf<T>(values: Readonly<Record<string, T | typeof UNKNOWN>>): Meaning<T> {
  const exact = new Map<number, T | typeof UNKNOWN>();
  const ranges: { from: number; to: number; meaning: T | typeof UNKNOWN }[] = [];
  for (const [key, meaning] of Object.entries(values)) {
    const [first, last] = key.split("..").map(Number);
    if (last === undefined) exact.set(first!, meaning);
    else ranges.push({ from: first!, to: last, meaning });
  }
  return (code) => {
    const number = Number(code);
    const known = exact.get(number);
    return known ?? ranges.find(({ from: low, to }) => number >= low && number <= to)?.meaning;
  };
}

function yearsOf(part: number | string): number[] {
  if (typeof part === "number") return [part];
  const [first, last] = part.split("-").map(Number);
  return Array.from({ length: Math.max(0, last! - first! + 1) }, (_, i) => first! + i);
}
