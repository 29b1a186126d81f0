/**
 * Downloads of the NLS Investigator.
 *
 * @module
 */
export { readCdb } from "./cdb.ts";
export type { CodebookEntry } from "./codebook.ts";
export { MISSING_REASONS, type MissingCode, missingReason, type MissingReason } from "./missing.ts";
export { type NlsTable, openNlsTable } from "./nls_table.ts";
export { readSdf } from "./sdf.ts";
