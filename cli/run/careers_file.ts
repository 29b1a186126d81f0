import { basename } from "node:path";
import { type Career, type CareerFormat, readCareers } from "../../data/mod.ts";
import { CliError, EXIT, failingAs } from "../platform/errors.ts";
import { openFile } from "../platform/files.ts";

const FORMATS: readonly CareerFormat[] = ["tsv", "csv", "jsonl"];

/** How careers are written in a file, by its name; `.gz` behind it counts for nothing. */
function formatOf(path: string): CareerFormat {
  const name = basename(path).replace(/\.gz$/, "");
  const format = FORMATS.find((each) => name.endsWith(`.${each}`));
  if (format !== undefined) return format;
  throw new CliError(
    EXIT.usage,
    `Cannot read "${path}": its name must end in .tsv, .csv or .jsonl, perhaps with .gz behind, got "${basename(path)}"`,
  );
}

/**
 * Reads all careers of a file, gzipped or not, in the order of the file.
 *
 * @throws {CliError} With exit code 3 if the file is missing or a row is wrong, naming the line;
 *   exit code 2 if its name tells no format.
 */
export async function readCareersFile(path: string): Promise<Career[]> {
  const format = formatOf(path);
  return failingAs(EXIT.data, async () => {
    const careers: Career[] = [];
    for await (const career of readCareers(await openFile(path), { format, file: path })) {
      careers.push(career);
    }
    return careers;
  });
}
