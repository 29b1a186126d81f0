import { quote } from "../../career_check.ts";
import { readLines, syntaxError } from "../../lines.ts";
import { asciiOf, type CodebookEntry, columnName, surveyYear } from "./codebook.ts";

/** A variable: its number, year, description and question, which has no spaces. */
const ROW = /^([A-Za-z]\d{5}\.\d{2})\s+(\S+)\s+(\S.*?)\s+(\S+)\s*$/;

/**
 * Reads the short descriptions (`.sdf`) that the NLS Investigator adds to a download: below a line
 * of dashes, a variable a line.
 *
 * @throws {SyntaxError} At the first line below the dashes that is no variable, or if there are
 *   no dashes.
 */
export async function readSdf(
  stream: ReadableStream<Uint8Array>,
  file: string,
): Promise<CodebookEntry[]> {
  const entries: CodebookEntry[] = [];
  let isBelow = false;
  for await (const { line, text } of readLines(asciiOf(stream), { file })) {
    if (/^-{20,}\s*$/.test(text)) isBelow = true;
    else if (isBelow && text.trim() !== "") entries.push(readRow(text, { file, line }));
  }
  if (!isBelow) {
    throw syntaxError(file, 1, "a line of dashes must stand below the heads of columns, got none");
  }
  return entries;
}

function readRow(text: string, place: { file: string; line: number }): CodebookEntry {
  const [, reference, year, description, question] = ROW.exec(text) ?? [];
  if (reference === undefined) {
    throw syntaxError(
      place.file,
      place.line,
      `a variable must have a reference number, a year, a description and a question, got ${quote(text)}`,
    );
  }
  return {
    reference: columnName(reference),
    ...surveyYear(year!),
    question: question!,
    description: description!,
  };
}
