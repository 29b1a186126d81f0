/**
 * What people have of their own careers: job titles in their words, resumes, data exports.
 *
 * @module
 */
export { type CareerYears, careerYears, type CareerYearsOptions } from "./career_years.ts";
export type { CareersFile, ListedPerson } from "./careers_file.ts";
export { educationOfDegree } from "./degree_words.ts";
export { readJsonResume } from "./json_resume.ts";
export { readLinkedInExport, readLinkedInTable } from "./linkedin.ts";
export {
  matchTitle,
  type OccupationMatch,
  suggestOccupations,
  type SuggestOptions,
} from "./match_title.ts";
export type { PersonalHistory, Position, Schooling, YearMonth } from "./personal_history.ts";
export {
  type PersonalFile,
  type PersonalSource,
  readPersonalFile,
  type ReadPersonalOptions,
} from "./read_personal.ts";
