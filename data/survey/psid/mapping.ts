import { z } from "zod";
import { type Education, EDUCATION_LEVELS } from "../../career.ts";
import { readCheckedYaml } from "../../checked_yaml.ts";
import type { LaborForceStatus } from "../person_record.ts";
import { codes, type Codes, CodeTable } from "./code_table.ts";

/** Years from the first to the last, both included. */
const span = z
  .tuple([z.int().min(1968).max(2100), z.int().min(1968).max(2100)])
  .refine(([first, last]) => first <= last, { error: "years must ascend, first and last" });

const variable = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,31}$/, { error: "must be the name of a variable" })
  .transform((name) => name.toUpperCase())
  .nullable();

const role = z.strictObject({
  status: variable,
  occupation: variable,
  race: variable.optional(),
});

const yearSchema = z.strictObject({
  individual: z.strictObject({
    interview: variable,
    sequence: variable,
    relationship: variable,
    age: variable,
    education: variable,
    born: variable.optional(),
  }),
  family: z.strictObject({ interview: variable, region: variable.optional() }),
  head: role,
  spouse: role,
});

const text = z.string().min(1);

const educationCodes = z.strictObject({
  ...(Object.fromEntries(EDUCATION_LEVELS.map((level) => [level, codes])) as Record<
    (typeof EDUCATION_LEVELS)[number],
    typeof codes
  >),
  missing: codes,
});

const schema = z.strictObject({
  survey: text,
  format: z.literal("psid"),
  id: z.strictObject({ interview: variable, person: variable }),
  sex: z.strictObject({ variable, codes: z.strictObject({ female: codes, male: codes }) }),
  ages: z.tuple([z.int().nonnegative(), z.int().max(130)]),
  present: codes,
  unknown: z.strictObject({ age: codes, born: codes }),
  codes: z.strictObject({
    relationship: z.array(z.strictObject({ years: span, head: codes, spouse: codes })).min(1),
    status: z
      .array(
        z.strictObject({
          years: span,
          employed: codes,
          unemployed: codes,
          not_in_labor_force: codes,
          student: codes,
          missing: codes,
        }),
      )
      .min(1),
    education: z.array(educationCodes.extend({ years: span })).min(1),
    race: z.array(z.strictObject({ years: span, codes: z.record(text, codes) })).min(1),
    region: z
      .array(
        z.strictObject({
          years: span,
          northeast: codes,
          northcentral: codes,
          south: codes,
          west: codes,
          missing: codes,
        }),
      )
      .min(1),
    occupation: z.array(z.strictObject({ years: span, coding: text, missing: codes })).min(1),
  }),
  years: z.record(
    z.string().regex(/^\d{4}$/, { error: "must be a year of four digits" }),
    yearSchema,
  ),
});

/**
 * A variable of the survey. `~` (null) stands for one that is asked for and not known: reading stops
 * there and says which to fill in. A variable that the survey does not have is left out.
 */
type Variable = string | null;

/** Codes of some years, the first and the last of them included. */
type Era = Readonly<Record<"years", readonly [number, number]>>;

type CodesOf<Name extends string> = Readonly<Record<Name, Codes>>;

/** Which variables of the PSID say what, year by year, and what their codes mean. */
export interface PsidMapping {
  /** Name of the survey, as resumes give it. */
  readonly survey: string;
  readonly format: "psid";
  readonly id: Readonly<Record<"interview" | "person", Variable>>;
  readonly sex: { readonly variable: Variable; readonly codes: CodesOf<"female" | "male"> };
  /** Youngest and oldest age of a person-year. */
  readonly ages: readonly [number, number];
  /** Sequence numbers of those who live with the family at the interview. */
  readonly present: Codes;
  /** What is no age and no year of birth. */
  readonly unknown: CodesOf<"age" | "born">;
  readonly codes: {
    readonly relationship: readonly (Era & CodesOf<"head" | "spouse">)[];
    readonly status: readonly (Era & CodesOf<LaborForceStatus | "student" | "missing">)[];
    readonly education: readonly (Era & CodesOf<Education | "missing">)[];
    readonly race: readonly (Era & { readonly codes: CodesOf<string> })[];
    readonly region: readonly (Era & CodesOf<Region | "missing">)[];
    readonly occupation: readonly (Era & { readonly coding: string; readonly missing: Codes })[];
  };
  /** The variables of each year. */
  readonly years: Readonly<Record<string, PsidYear>>;
}

type Region = "northeast" | "northcentral" | "south" | "west";

/** The variables of one year. */
export interface PsidYear {
  readonly individual: Readonly<
    Record<"interview" | "sequence" | "relationship" | "age" | "education", Variable>
  > & { readonly born?: Variable | undefined };
  readonly family: { readonly interview: Variable; readonly region?: Variable | undefined };
  readonly head: PsidRole;
  readonly spouse: PsidRole;
}

interface PsidRole {
  readonly status: Variable;
  readonly occupation: Variable;
  readonly race?: Variable | undefined;
}

/** Kinds of codes that change over the years. */
type CodeKind = keyof PsidMapping["codes"];

/**
 * Reads a mapping for PSID downloads.
 *
 * @param source YAML; docs/psid.md explains it.
 * @param file Name of the file, for errors.
 * @throws {SyntaxError} With the path of every key that is unknown, missing or wrong, of codes with
 *   two meanings, of years without codes, and of variables that are to be filled in (`~`).
 */
export function parsePsidMapping(source: string, file: string): PsidMapping {
  const mapping = readCheckedYaml(source, schema, file);
  const problems = [
    ...unfilled(mapping, ""),
    ...codeProblems(mapping),
    ...(Object.keys(mapping.years).length === 0 ? ["years: at least one must be mapped"] : []),
    ...(mapping.ages[0] <= mapping.ages[1] ? [] : ["ages: must ascend"]),
  ];
  if (problems.length === 0) return mapping;
  throw new SyntaxError(`Cannot read "${file}": ${problems.join("; ")}`);
}

/** Paths of the variables that stand as `~`. */
function unfilled(value: unknown, path: string): string[] {
  if (value === null) {
    return [
      `${path}: fill in the variable (look it up on the PSID's pages), or remove the year from the mapping`,
    ];
  }
  if (typeof value !== "object" || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    unfilled(inner, path === "" ? key : `${path}.${key}`),
  );
}

function codeProblems(mapping: PsidMapping): string[] {
  const problems: string[] = [];
  for (const kind of Object.keys(mapping.codes) as CodeKind[]) {
    const eras: readonly Era[] = mapping.codes[kind];
    for (const year of Object.keys(mapping.years).map(Number)) {
      const count = eras.filter(({ years }) => years[0] <= year && year <= years[1]).length;
      if (count !== 1) problems.push(`codes.${kind}: ${year} must be in one span, got ${count}`);
    }
  }
  for (const [path, meanings] of codeLists(mapping)) {
    try {
      void new CodeTable(meanings);
    } catch (error) {
      problems.push(`${path}: ${(error as Error).message}`);
    }
  }
  return problems;
}

/** Every list of codes of which each may have one meaning only, with its path. */
function codeLists(mapping: PsidMapping): [string, ConstructorParameters<typeof CodeTable>[0]][] {
  const { race, ...rest } = mapping.codes;
  return [
    ["sex.codes", mapping.sex.codes],
    ...race.map(({ codes: meanings }, i) => [`codes.race.${i}.codes`, meanings] as const),
    ...Object.entries(rest).flatMap(([kind, eras]) =>
      (eras as readonly Record<string, unknown>[]).map((era, i) => {
        const { years: _, coding: __, ...meanings } = era;
        return [`codes.${kind}.${i}`, meanings] as const;
      }),
    ),
  ] as [string, ConstructorParameters<typeof CodeTable>[0]][];
}

/** What holds in a year, of lists that change over the years. */
export function eraOf<E extends Era>(eras: readonly E[], year: number): E {
  return eras.find(({ years }) => years[0] <= year && year <= years[1])!;
}
