import type { WrittenLayout } from "./layout.ts";
import { statementsOf } from "./statements.ts";
import { TokenReader } from "./token_reader.ts";
import { LayoutWriter, unknownCommand } from "./written.ts";

/** Commands that say nothing of columns; by their first words. */
const IGNORED = ["execute", "formats", "missing values", "save", "set", "title", "subtitle"];

/**
 * Reads an SPSS setup file as the PSID and other archives write it: `FILE HANDLE … LRECL = n`,
 * `DATA LIST … FIXED / NAME first - last (decimals)`, `VARIABLE LABELS` and `VALUE LABELS`.
 *
 * `FORMATS` says how to print a number, not how it stands in the file; decimals are implied only
 * where `DATA LIST` says so.
 *
 * @throws {SyntaxError} If a command reads otherwise, or is of none of these kinds.
 */
export function readSpssSetup(source: string, file: string): WrittenLayout {
  const writer = new LayoutWriter(file);
  for (const statement of statementsOf(source, file, { end: "period", quotes: "\"'" })) {
    const words = statement.tokens.slice(0, 3).map(({ text }) => text.toLowerCase());
    const command = words.join(" ");
    const begins = (...names: readonly string[]): boolean =>
      names.some((name) => command === name || command.startsWith(`${name} `));
    if (begins("file handle")) readHandle(new TokenReader(statement, file, 2), writer);
    else if (begins("data list")) readDataList(new TokenReader(statement, file, 2), writer);
    else if (begins("variable labels", "var labels", "variable label")) {
      readLabels(new TokenReader(statement, file, 2), writer);
    } else if (begins("value labels")) {
      readValues(new TokenReader(statement, file, 2), writer);
    } else if (begins("add value labels")) {
      readValues(new TokenReader(statement, file, 3), writer);
    } else if (!begins(...IGNORED)) {
      throw unknownCommand(file, statement.line, words.slice(0, 2).join(" "));
    }
  }
  return writer.finish();
}

function readHandle(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.done) {
    const { line } = reader;
    if (reader.take("lrecl")) {
      if (!reader.take("=")) throw reader.error("=");
      writer.length(line, reader.number("a record length"));
    } else reader.next("an option");
  }
}

function readDataList(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.take("/")) {
    if (reader.take("records")) {
      reader.take("=");
      if (reader.number("the records of a case") !== 1) {
        throw reader.error("one record a case (RECORDS = 1)");
      }
    } else reader.next("a slash before the columns");
  }
  // A number behind the slash names the record: there is one.
  if (reader.peek()?.text === "1") reader.next("1");
  while (!reader.done) {
    const { line } = reader;
    const name = reader.name();
    const { first, last } = reader.range();
    writer.place({ line, name, first, last, ...readType(reader) });
  }
}

/** Reads `(2)`, `(F,2)`, `(F)` or `(A)` behind a column. */
function readType(reader: TokenReader): { type: "number" | "text"; decimals: number } {
  if (!reader.take("(")) return { type: "number", decimals: 0 };
  const text = reader.take("a");
  let decimals = 0;
  if (!text) {
    const named = reader.take("f");
    if (!named || reader.take(",")) decimals = reader.number("the number of decimals");
  }
  if (!reader.take(")")) throw reader.error(")");
  return { type: text ? "text" : "number", decimals };
}

function readLabels(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.done) {
    reader.take("/");
    const { line } = reader;
    const name = reader.name();
    writer.label(name, { line, text: reader.text("a label") });
  }
}

/** Reads `NAME … 1 "…" 2 "…" / NAME …`. */
function readValues(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.done) {
    reader.take("/");
    const names = [reader.name()];
    while (/^[A-Za-z_]/.test(reader.peek()?.text ?? "")) names.push(reader.name());
    while (!reader.done && reader.peek()?.text !== "/") {
      const { line } = reader;
      const sign = reader.take("-") ? "-" : "";
      const code = sign + String(reader.number("a code"));
      const text = reader.text("a meaning");
      for (const name of names) writer.value(name, code, { line, text });
    }
  }
}
