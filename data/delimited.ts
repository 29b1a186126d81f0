import { readLines, syntaxError, type LineOptions } from "./lines.ts";

/** One record of a delimited file. */
export interface DelimitedRecord {
  /** Line on which the record begins, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

const MAX_RECORD_LENGTH = 2 ** 20;

/**
 * Yields the records of tab-separated values: no quoting, one record a line.
 *
 * @throws {SyntaxError} As {@linkcode readLines}.
 */
export async function* readTsv(
  stream: ReadableStream<Uint8Array>,
  options: LineOptions,
): AsyncGenerator<DelimitedRecord, void, undefined> {
  for await (const { line, text } of readLines(stream, options)) {
    yield { line, fields: withoutReturn(text).split("\t") };
  }
}

/**
 * Yields the records of comma-separated values as RFC 4180 has them: a field in double
 * quotes may contain commas, line breaks and doubled quotes. Stricter than most readers: a
 * quote inside an unquoted field, or text after a closing quote, is an error.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc4180 | RFC 4180}
 *
 * @throws {SyntaxError} As {@linkcode readLines}, and for misplaced or missing quotes.
 */
export async function* readCsv(
  stream: ReadableStream<Uint8Array>,
  options: LineOptions,
): AsyncGenerator<DelimitedRecord, void, undefined> {
  const { file } = options;
  let fields: string[] = [];
  let open: { line: number; pieces: string[] } | undefined; // a field in quotes
  let start = 1;
  let length = 0;
  for await (const { line, text } of readLines(stream, options)) {
    let at = 0;
    if (open === undefined) [start, length] = [line, 0];
    for (;;) {
      if (open === undefined && text[at] !== '"') {
        const comma = text.indexOf(",", at);
        const field = comma < 0 ? withoutReturn(text.slice(at)) : text.slice(at, comma);
        if (field.includes('"')) {
          throw syntaxError(
            file,
            line,
            `a quote may stand only around a whole field (double it inside), got ${JSON.stringify(field.slice(0, 80))}`,
          );
        }
        fields.push(field);
        if (comma < 0) break;
        at = comma + 1;
        continue;
      }
      if (open === undefined) {
        open = { line, pieces: [] };
        at++;
      }
      const quoted = readQuoted(text, at);
      open.pieces.push(quoted.text);
      length += quoted.text.length + 1;
      if (length > MAX_RECORD_LENGTH) {
        throw syntaxError(
          file,
          open.line,
          `a record must have at most ${MAX_RECORD_LENGTH} characters in quotes, got more (close the quote)`,
        );
      }
      if (!quoted.closed) break;
      fields.push(open.pieces.join("\n"));
      open = undefined;
      at = quoted.end;
      const rest = withoutReturn(text.slice(at));
      if (rest === "") break;
      if (text[at] !== ",") {
        throw syntaxError(
          file,
          line,
          `a comma must follow a closing quote, got ${JSON.stringify(rest.slice(0, 80))}`,
        );
      }
      at++;
    }
    if (open === undefined) {
      yield { line: start, fields };
      fields = [];
    }
  }
  if (open !== undefined) {
    throw syntaxError(
      file,
      open.line,
      "a quoted field must be closed, got the end of the file (add the missing quote)",
    );
  }
}

/** Reads a quoted field from `at`, behind its opening quote, to its closing quote or the line's end. */
function readQuoted(text: string, at: number): { text: string; closed: boolean; end: number } {
  let end = text.indexOf('"', at);
  while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  const closed = end >= 0;
  const raw = closed ? text.slice(at, end) : text.slice(at);
  return { text: raw.replaceAll('""', '"'), closed, end: closed ? end + 1 : text.length };
}

function withoutReturn(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}
