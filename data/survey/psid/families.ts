import { syntaxError } from "../../lines.ts";
import type { FixedWidthTable } from "./tables.ts";

/** Values of a family in one year, in the order of the variables asked for. */
export type FamilyValues = readonly (number | undefined)[];

/**
 * Reads a family file: one row a family.
 *
 * Memory: the values asked for, of some 10,000 families.
 *
 * @param table The file.
 * @param interview Variable of the interview number, which is the family's in that year.
 * @param variables What to keep of each family.
 * @returns Values by interview number.
 * @throws {SyntaxError} If a row does not parse, has no interview number, or has that of another.
 */
export async function readFamilies(
  table: FixedWidthTable,
  interview: string,
  variables: readonly string[],
): Promise<Map<number, FamilyValues>> {
  const families = new Map<number, FamilyValues>();
  for await (const { line, values } of table.records([interview, ...variables])) {
    const [number, ...rest] = values;
    if (number === undefined || !Number.isSafeInteger(number) || number < 1) {
      throw syntaxError(
        table.file,
        line,
        `the interview number "${interview}" must be a whole number from 1, got ${number ?? "a blank"}`,
      );
    }
    if (families.has(number)) {
      throw syntaxError(
        table.file,
        line,
        `a family must stand in one row of its year, got interview number ${number} a second time`,
      );
    }
    families.set(number, rest);
  }
  return families;
}
