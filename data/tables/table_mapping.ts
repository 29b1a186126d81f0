import { z } from "zod";
import { type Education, EDUCATION_LEVELS } from "../career.ts";
import { readCheckedYaml } from "../checked_yaml.ts";
import { type Coding, CODINGS } from "../crosswalk/coding.ts";
import type { StatusPriority } from "../survey/build_careers.ts";
import type { LaborForceStatus } from "../survey/person_record.ts";

/** What a value may also say: nothing that counts. */
export const UNKNOWN = "unknown";

const STATUSES = ["employed", "unemployed", "not_in_labor_force"] as const;

const columnSchema = z.string().min(1);
const valuesOf = <T extends z.ZodType>(meaning: T) =>
  z.record(z.string(), z.union([meaning, z.literal(UNKNOWN)]));

const textSchema = z.union([
  columnSchema.transform((column) => ({ column, values: undefined })),
  z.strictObject({ column: columnSchema, values: valuesOf(z.string().min(1)).optional() }),
]);

const fieldsSchema = z.strictObject({
  survey: z.string().min(1),
  format: z.literal("table"),
  shape: z.enum(["long", "wide"]),
  priority: z
    .tuple([z.enum(["student", "status"]), z.enum(["student", "status"]), z.literal("occupation")])
    .refine(([first, second]) => first !== second, "must name each of student and status once")
    .default(["student", "status", "occupation"]),
  id: columnSchema,
  gender: textSchema,
  ethnicity: textSchema,
  region: textSchema.optional(),
  birth_year: columnSchema.optional(),
  year: columnSchema.optional(),
  education: z.strictObject({
    column: columnSchema,
    values: valuesOf(z.enum(EDUCATION_LEVELS)).optional(),
  }),
  enrollment: z.strictObject({ column: columnSchema, values: valuesOf(z.boolean()) }).optional(),
  occupation: z.strictObject({
    column: columnSchema,
    coding: z.enum(CODINGS),
    values: valuesOf(z.enum([...STATUSES, "student"])).default({}),
  }),
  status: z.strictObject({ column: columnSchema, values: valuesOf(z.enum(STATUSES)) }).optional(),
});

/** Whether a column's name stands for one column a year. */
export function isYearly(column: string): boolean {
  return /\{(?:year|yy)\}/.test(column);
}

const mappingSchema = fieldsSchema.superRefine((mapping, context) => {
  const { shape, year, occupation, education, enrollment, status, birth_year: birthYear } = mapping;
  const fail = (path: string, message: string): void => {
    context.addIssue({ code: "custom", path: [path], message });
  };
  if (shape === "long" && year === undefined) fail("year", "must name a column of a long table");
  if (shape === "wide" && year !== undefined) fail("year", "must be left out of a wide table");
  if (shape === "wide" && !isYearly(occupation.column)) {
    fail("occupation", 'must have a column a year in a wide table, as "occ_{year}"');
  }
  const fixed = [mapping.id, mapping.gender.column, mapping.ethnicity.column, birthYear ?? ""];
  const yearly = [education, enrollment, occupation, status].map((field) => field?.column ?? "");
  for (const column of [...fixed, ...(shape === "long" ? yearly : [])]) {
    if (isYearly(column)) fail("shape", `"${column}" is for what changes in a wide table`);
  }
});

type Values<T> = Readonly<Record<string, T | typeof UNKNOWN>>;

/** A column, taken as it is, or with what its values mean. */
interface Column<T> {
  readonly column: string;
  readonly values?: Values<T> | undefined;
}

interface Coded<T> extends Column<T> {
  readonly values: Values<T>;
}

/** Which columns of a table make careers, and what their values mean. */
export interface TableMapping {
  /** Name of the survey, as resumes give it. */
  readonly survey: string;
  readonly format: "table";
  /** A row a person-year, or a row a person with columns for each year. */
  readonly shape: "long" | "wide";
  /** What decides a year, the first that is told. */
  readonly priority: StatusPriority;
  readonly id: string;
  readonly gender: Column<string>;
  readonly ethnicity: Column<string>;
  readonly region?: Column<string> | undefined;
  readonly birth_year?: string | undefined;
  /** Column of the year, of a long table. */
  readonly year?: string | undefined;
  /** Without values, the column must hold the levels' own names. */
  readonly education: Column<Education>;
  readonly enrollment?: Coded<boolean> | undefined;
  /** Values: codes that are no occupation, and what they say of the year. */
  readonly occupation: Coded<LaborForceStatus | "student"> & { readonly coding: Coding };
  readonly status?: Coded<LaborForceStatus> | undefined;
}

/**
 * Reads the mapping of a table, as `docs/careers.md` describes it.
 *
 * @param text YAML.
 * @param file Name of the file, for errors.
 * @throws {SyntaxError} With file and path of every problem, and the nearest known key.
 */
export function readTableMapping(text: string, file: string): TableMapping {
  return readCheckedYaml(text, mappingSchema, file);
}
