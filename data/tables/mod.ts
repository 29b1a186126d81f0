/**
 * Careers in Parquet, in CAREER's text format, and out of tables of other people.
 *
 * @module
 */
export {
  CAREER_PARTS,
  type CareerFormatFolder,
  careersToCareerFormat,
  readCareerFormat,
} from "./career_format.ts";
export { careersOfParquet, careersToParquet } from "./careers_parquet.ts";
export type { ParquetSource } from "./parquet_rows.ts";
export { importTable } from "./import_table.ts";
export { readTableMapping, type TableMapping } from "./table_mapping.ts";
export { parquetTableRows, readTableRows, type TableFormat, type TableRow } from "./table_rows.ts";
