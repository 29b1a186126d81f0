/**
 * What people have of their own careers: job titles in their words, resumes, data exports.
 *
 * @module
 */
export {
  matchTitle,
  type OccupationMatch,
  suggestOccupations,
  type SuggestOptions,
} from "./match_title.ts";
