import type { Career } from "./career.ts";
import { careerProblem, quote } from "./career_check.ts";

/** The columns of a table of careers, as `readCareers()` reads them. */
const COLUMNS = "id\tgender\tethnicity\tbirth_year\tregion\tyears\teducation\tocc1990dd\n";

/**
 * Careers as a table with a row a person, which `readCareers()` reads back with format `"tsv"`.
 * The name of the survey has no column there.
 *
 * @param careers Drawn one at a time.
 * @returns Pieces of text, the first of them the header.
 * @throws {RangeError} If a career is wrong, as `careerProblem()` says, or its id has a tab.
 */
export async function* careersToTsv(
  careers: Iterable<Career> | AsyncIterable<Career>,
): AsyncGenerator<string, void, undefined> {
  yield COLUMNS;
  for await (const career of careers) {
    const { id, gender, ethnicity, birthYear = "", region = "", observations } = career;
    const problem =
      careerProblem(career) ??
      (/[\t\n\r]/.test(id) ? `the id must have no tab or line break, got ${quote(id)}` : undefined);
    if (problem !== undefined) {
      throw new RangeError(`Cannot write the career of ${quote(id)}: ${problem}`);
    }
    const lists = [
      observations.map(({ year }) => year).join(" "),
      observations.map(({ education }) => education).join("|"),
      observations.map(({ occupation }) => occupation).join(" "),
    ];
    yield `${[id, gender, ethnicity, birthYear, region, ...lists].join("\t")}\n`;
  }
}
