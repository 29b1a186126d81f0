/**
 * Sets of files as surveys hand them out: folders, zips, gzipped files.
 *
 * @module
 */
export { type Archive, type ArchiveEntry, singleFile, streamOfChunks } from "./archive.ts";
export { gunzipped, openInflated, type OpenInflatedOptions } from "./gunzip.ts";
export { joinArchives } from "./join_archives.ts";
export { INFLATION_LIMITS, InflationBudget, type InflationLimits } from "./inflation.ts";
export { openZip } from "./zip_archive.ts";
export type { RandomAccess } from "./zip_directory.ts";
