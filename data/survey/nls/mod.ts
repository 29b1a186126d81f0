/**
 * Downloads of the NLS Investigator.
 *
 * @module
 */
export { readCdb } from "./cdb.ts";
export { missingReason } from "./missing.ts";
export { type NlsTable, openNlsTable } from "./nls_table.ts";
export { readSdf } from "./sdf.ts";
