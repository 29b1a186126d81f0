/**
 * Careers from the files that surveys hand out.
 *
 * @module
 */
export {
  buildCareer,
  buildCareers,
  type BuildCareersOptions,
  type CareerRules,
  type StatusPriority,
} from "./build_careers.ts";
export { ImportReport, type ReportEntry } from "./import_report.ts";
export { readMapping, type SurveyMapping } from "./mapping.ts";
export { MAPPINGS } from "./mappings/mod.ts";
export { openNlsTable, type NlsTable } from "./nls/mod.ts";
export type { LaborForceStatus, PersonRecord, YearRecord } from "./person_record.ts";
export { parsePsidMapping, type PsidMapping } from "./psid/mapping.ts";
export { openPsid, type PsidSurvey } from "./psid/read_psid.ts";
export { type MappedSurvey, mapSurvey } from "./read_people.ts";
export type { SurveyRow, SurveyTable, SurveyVariable } from "./survey_table.ts";
