/**
 * Careers in Parquet, in CAREER's text format, and out of tables of other people.
 *
 * @module
 */
export { careersOfParquet, careersToParquet } from "./careers_parquet.ts";
export {
  type ParquetRow,
  type ParquetRowsOptions,
  type ParquetSource,
  readParquetRows,
} from "./parquet_rows.ts";
