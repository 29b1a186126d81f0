import { quote } from "../../career_check.ts";
import { type Line, syntaxError } from "../../lines.ts";
import { columnName } from "./codebook.ts";

/** A dictionary of Stata as the NLS Investigator writes it. */
export interface NlsDictionary {
  /** Names of the columns, in order. */
  readonly columns: readonly string[];
  /** The file of data that it names; absent where the data stand below. */
  readonly using?: string;
  /** Line behind which the data stand. */
  readonly lastLine: number;
}

const BEGIN = /^\s*(?:infile\s+)?dictionary(?:\s+using\s+("[^"]*"|[^\s{]+))?\s*\{\s*$/i;

/** A type or none, a name, a format or none, and a label or none. */
const COLUMN =
  /^\s*(?:(?:byte|int|long|float|double|str\d*)\s+)?([A-Za-z_]\w*)(?:\s+%\w+(?:\.\w+)?)?(?:\s+"[^"]*")?\s*$/;

/**
 * Reads a dictionary (`.dct`) up to its closing brace: values without places, separated by spaces,
 * in the order of the names.
 *
 * @param lines The lines of the file; those behind the brace are left for the caller.
 * @throws {SyntaxError} At the first line that is no column of that kind. Dictionaries with
 *   places of columns are not of the NLS.
 */
export async function readDictionary(
  lines: AsyncGenerator<Line, void, undefined>,
  file: string,
): Promise<NlsDictionary> {
  const columns: string[] = [];
  let begin: RegExpExecArray | null = null;
  for (;;) {
    const { done, value } = await lines.next();
    if (done === true) throw syntaxError(file, 1, "a dictionary must end with }, got none");
    const { line, text } = value;
    if (text.trim() === "" || /^\s*\*/.test(text)) continue;
    if (begin === null) {
      begin = BEGIN.exec(text);
      if (begin === null) {
        throw syntaxError(
          file,
          line,
          `it must begin with "infile dictionary {", got ${quote(text)}`,
        );
      }
    } else if (/^\s*\}\s*$/.test(text)) {
      if (columns.length === 0) throw syntaxError(file, line, "it must name columns, got none");
      const using = begin[1]?.replaceAll('"', "");
      return { columns, ...(using !== undefined && { using }), lastLine: line };
    } else columns.push(readColumn(text, { file, line }));
  }
}

function readColumn(text: string, { file, line }: { file: string; line: number }): string {
  const name = COLUMN.exec(text)?.[1];
  if (name !== undefined) return columnName(name);
  throw syntaxError(
    file,
    line,
    `a column must be a name and a label, without its place (values are separated by spaces), got ${quote(text)}`,
  );
}
