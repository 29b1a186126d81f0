import { NLSY79 } from "./nlsy79.ts";
import { NLSY79_BY_YEAR } from "./nlsy79_by_year.ts";
import { NLSY97 } from "./nlsy97.ts";
import { PSID_MAPPING } from "./psid.ts";

/** Ready mappings by name, as YAML that people can start from. */
export const MAPPINGS: ReadonlyMap<string, string> = new Map([
  ["nlsy79", NLSY79],
  ["nlsy79_by_year", NLSY79_BY_YEAR],
  ["nlsy97", NLSY97],
  ["psid", PSID_MAPPING],
]);
