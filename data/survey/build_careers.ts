import { type Career, type Education, EDUCATION_LEVELS, type Observation } from "../career.ts";
import { careerProblem } from "../career_check.ts";
import { toOcc1990dd } from "../crosswalk/mod.ts";
import { ImportReport } from "./import_report.ts";
import type { PersonRecord, YearRecord } from "./person_record.ts";

/** What decides a year, the first that is told. */
export type StatusPriority = readonly ["student" | "status", "student" | "status", "occupation"];

/** How records become careers. */
export interface CareerRules {
  /** Name of the survey, which every career gets. */
  readonly dataset?: string;
  /**
   * What decides a year. NLSY: a student is one whatever job or search there is beside; PSID: who
   * has no job is that before all.
   *
   * @default {["student", "status", "occupation"]}
   */
  readonly priority?: StatusPriority;
}

/** What {@linkcode buildCareers} needs besides records. */
export interface BuildCareersOptions extends CareerRules {
  /** Counts what is left out. */
  readonly report?: ImportReport;
}

/**
 * Makes a career of what a survey says of a person, by the rules of LABOR-LLM.
 *
 * A year is decided by its student status, its labor-force status and its occupation, in the order
 * of priority; a year that tells none of them is passed over. Education is the highest level told
 * so far, in whatever year; years before the first are left out. Occupations become those of
 * occ1990dd; a year whose code has none is left out.
 *
 * @returns The career, or undefined where nothing is left of it; the report says why.
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}
 */
export function buildCareer(
  record: PersonRecord,
  {
    dataset,
    priority = ["student", "status", "occupation"],
    report = new ImportReport(),
  }: BuildCareersOptions,
): Career | undefined {
  const { id, gender, ethnicity, region, birthYear, place } = record;
  const drop = (reason: string): undefined => {
    report.add("person", reason, place);
  };
  if (gender === undefined) return drop("no gender told");
  if (ethnicity === undefined) return drop("no ethnicity told");
  const observations: Observation[] = [];
  let education: Education | undefined;
  for (const year of record.years) {
    education = higher(education, year.education);
    const state = stateOf(year, priority);
    if (state === undefined) continue;
    const where = `${place}, ${year.year}`;
    if ("reason" in state) report.add("year", state.reason, `${where}${state.detail ?? ""}`);
    else if (education === undefined) report.add("year", "no education told so far", where);
    else observations.push({ year: year.year, education, occupation: state.occupation });
  }
  if (observations.length === 0) return drop("no year left");
  const career = {
    id,
    ...(dataset !== undefined && { dataset }),
    gender,
    ethnicity,
    ...(region !== undefined && { region }),
    ...(birthYear !== undefined && { birthYear }),
    observations,
  };
  const problem = careerProblem(career);
  return problem === undefined ? career : drop(problem);
}

/**
 * Makes careers of records, in their order.
 *
 * @param records Read one at a time.
 */
export async function* buildCareers(
  records: Iterable<PersonRecord> | AsyncIterable<PersonRecord>,
  options: BuildCareersOptions = {},
): AsyncGenerator<Career, void, undefined> {
  for await (const record of records) {
    const career = buildCareer(record, options);
    if (career !== undefined) yield career;
  }
}

/** What a year amounts to, or why it amounts to nothing. */
type State =
  | { readonly occupation: string }
  | { readonly reason: string; readonly detail?: string };

/** Undefined where a year tells nothing of work or school, as years without an interview do. */
function stateOf(year: YearRecord, priority: StatusPriority): State | undefined {
  const { enrolled, status, occupation } = year;
  if (enrolled === undefined && status === undefined && occupation === undefined) return undefined;
  for (const criterion of priority) {
    if (criterion === "student" && enrolled === true) return { occupation: "education" };
    if (criterion === "status" && status !== undefined && status !== "employed") {
      return { occupation: status };
    }
  }
  if (occupation === undefined) {
    return {
      reason:
        status === "employed"
          ? "a job, but no occupation told"
          : "not a student, and neither status nor occupation told",
    };
  }
  const { code, coding } = occupation;
  const occ1990dd = toOcc1990dd(coding, code);
  return occ1990dd === undefined
    ? { reason: `no occupation of occ1990dd for the code of ${coding}`, detail: `: ${code}` }
    : { occupation: occ1990dd };
}

function higher(a: Education | undefined, b: Education | undefined): Education | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return EDUCATION_LEVELS.indexOf(b) > EDUCATION_LEVELS.indexOf(a) ? b : a;
}
