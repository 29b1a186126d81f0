import { EDUCATION_LEVELS, type Education } from "../career.ts";
import type { ImportReport } from "./import_report.ts";
import type { SurveyMapping } from "./mapping.ts";
import { missingReason } from "./nls/missing.ts";
import type { LaborForceStatus, PersonRecord, YearRecord } from "./person_record.ts";
import { planSurvey, type Reading, type SurveyPlan, type YearPlan } from "./survey_plan.ts";
import type { SurveyRow, SurveyTable } from "./survey_table.ts";

/** A survey whose variables were found, ready to be read. */
export interface MappedSurvey {
  /** Which variables were found, year by year. */
  readonly plan: SurveyPlan;
  /** Reads the people, in the order of the files. */
  people(): AsyncGenerator<PersonRecord, void, undefined>;
}

/**
 * Reads a survey by a mapping: what each person says of themselves and of each year.
 *
 * Codes that the mapping does not list, and codes of the NLS for missing answers, tell nothing; the
 * report counts them by variable. A year has the most frequent of its statuses that tell something;
 * of equally frequent ones the first of employed, unemployed, not in the labor force.
 *
 * @param report Counts values that tell nothing.
 * @throws {RangeError} If the survey lacks variables that the mapping does not call optional.
 */
export function mapSurvey(
  table: SurveyTable,
  mapping: SurveyMapping,
  report: ImportReport,
): MappedSurvey {
  const plan = planSurvey(table, mapping);
  return {
    plan,
    async *people() {
      for await (const row of table.rows(plan.wanted, plan.id)) {
        yield personOf(row, { plan, report });
      }
    },
  };
}

interface Context {
  readonly plan: SurveyPlan;
  readonly report: ImportReport;
}

function personOf(row: SurveyRow, context: Context): PersonRecord {
  const { plan } = context;
  const tell = <T>(readings: readonly Reading<T>[]): T | undefined => {
    for (const reading of readings) {
      const told = meaningIn(row, reading, context);
      if (told !== undefined) return told;
    }
    return undefined;
  };
  const id = row.values[plan.wanted.indexOf(plan.id)];
  const gender = tell(plan.gender);
  const ethnicity = tell(plan.ethnicity);
  const region = tell(plan.region);
  const birthYear = tell(plan.birthYear);
  return {
    id: id ?? "",
    place: row.place,
    ...(gender !== undefined && { gender }),
    ...(ethnicity !== undefined && { ethnicity }),
    ...(region !== undefined && { region }),
    ...(birthYear !== undefined && { birthYear }),
    years: plan.years.map((year) => yearOf(row, year, context)),
  };
}

function yearOf(row: SurveyRow, plan: YearPlan, context: Context): YearRecord {
  const { year, isObserved } = plan;
  const education = highest(
    plan.education.map((reading) => meaningIn(row, reading, context, year)),
  );
  const known = { year, ...(education !== undefined && { education }) };
  if (!isObserved) return known;
  const [enrollment] = plan.enrollment;
  const enrolled = enrollment === undefined ? undefined : meaningIn(row, enrollment, context, year);
  const work = occupationIn(row, plan, context);
  const status = modalStatus(row, plan, context) ?? work.status;
  return {
    ...known,
    ...(enrolled !== undefined && { enrolled }),
    ...(status !== undefined && { status }),
    ...(work.occupation !== undefined && { occupation: work.occupation }),
  };
}

/** What a value means, or undefined where it tells nothing, which the report counts. */
function meaningIn<T>(
  row: SurveyRow,
  { path, variable, index, meaning }: Reading<T>,
  { report }: Context,
  year?: number,
): T | undefined {
  const value = row.values[index];
  if (value === undefined || value === "") return undefined;
  const told = meaning(value);
  if (told === "unknown") return undefined;
  if (told !== undefined) return told;
  const reason = missingReason(value);
  const label = variable.labels?.get(value);
  const what =
    reason === undefined
      ? `code ${value}${label === undefined ? "" : ` (${label})`}, which the mapping does not list`
      : `${reason} (${value})`;
  const kind = path.replace(/\.\d+$/, "");
  const where = year === undefined ? row.place : `${row.place}, ${year}`;
  report.add("value", `${kind}: ${what}`, `${where} (${variable.name})`);
  return undefined;
}

/** The occupation of a year, or the status that a code in its place stands for. */
function occupationIn(
  row: SurveyRow,
  { year, occupation }: YearPlan,
  context: Context,
): Pick<YearRecord, "occupation" | "status"> {
  for (const reading of occupation) {
    const value = row.values[reading.index];
    if (value === undefined || value === "") continue;
    const isCode = reading.meaning(value) === undefined && missingReason(value) === undefined;
    if (isCode) return { occupation: { code: value, coding: reading.coding } };
    const status = meaningIn(row, reading, context, year);
    if (status !== undefined) return { status };
  }
  return {};
}

const STATUSES: readonly LaborForceStatus[] = ["employed", "unemployed", "not_in_labor_force"];

function modalStatus(
  row: SurveyRow,
  { year, status: readings }: YearPlan,
  context: Context,
): LaborForceStatus | undefined {
  const counts = new Map<LaborForceStatus, number>();
  for (const reading of readings) {
    const status = meaningIn(row, reading, context, year);
    if (status !== undefined) counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  let modal: LaborForceStatus | undefined;
  for (const status of STATUSES) {
    const count = counts.get(status) ?? 0;
    if (count > (modal === undefined ? 0 : (counts.get(modal) ?? 0))) modal = status;
  }
  return modal;
}

function highest(levels: readonly (Education | undefined)[]): Education | undefined {
  const rank = Math.max(
    -1,
    ...levels.map((level) => (level === undefined ? -1 : EDUCATION_LEVELS.indexOf(level))),
  );
  return EDUCATION_LEVELS[rank];
}
