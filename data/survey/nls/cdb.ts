import { readLines, syntaxError } from "../../lines.ts";
import { asciiOf, type CodebookEntry, columnName, surveyYear } from "./codebook.ts";

/** How the part of a variable begins: its number, question and year. */
const HEAD = /^([A-Za-z]\d{5}\.\d{2})\s+\[([^\]]*)\]\s+Survey Year:\s*(\S+)/;

/** People, a value or a range of values, and what it means. */
const LABEL = /^\s*\d+\s+(-?\d+(?:\s+TO\s+-?\d+)?)(?::|\s)\s*(\S.*?)\s*$/;

/** Lines that stand before the description. */
const KIND = /^\s*(PRIMARY|SECONDARY)?\s*VARIABLE\s*$/;

/**
 * Reads a codebook (`.cdb`) that the NLS Investigator adds to a download: a part a variable, with
 * its description and what its values mean.
 *
 * @throws {SyntaxError} If there is no variable in it.
 */
export async function readCdb(
  stream: ReadableStream<Uint8Array>,
  file: string,
): Promise<CodebookEntry[]> {
  const entries: CodebookEntry[] = [];
  let open: { entry: CodebookEntry; labels: Map<string, string> } | undefined;
  for await (const { text } of readLines(asciiOf(stream), { file })) {
    const head = HEAD.exec(text);
    if (head !== null) {
      const labels = new Map<string, string>();
      const [, reference, question, year] = head;
      open = {
        entry: {
          reference: columnName(reference!),
          ...surveyYear(year!),
          question: question!.trim(),
          description: "",
          labels,
        },
        labels,
      };
      entries.push(open.entry);
    } else if (open !== undefined && text.trim() !== "" && !KIND.test(text)) {
      if (open.entry.description === "") {
        open.entry = { ...open.entry, description: text.trim() };
        entries[entries.length - 1] = open.entry;
      } else {
        const [, value, label] = LABEL.exec(text) ?? [];
        if (value !== undefined) open.labels.set(value.replace(/\s+/g, " "), label!);
      }
    }
  }
  if (entries.length === 0) {
    throw syntaxError(file, 1, "a codebook must describe at least one variable, got none");
  }
  return entries;
}
