import type { WrittenLayout } from "./layout.ts";
import { statementsOf, type Statement } from "./statements.ts";
import { TokenReader } from "./token_reader.ts";
import { LayoutWriter, unknownCommand } from "./written.ts";

/** Commands that say nothing of columns. */
const IGNORED = new Set([
  "data",
  "filename",
  "length",
  "libname",
  "options",
  "proc",
  "run",
  "title",
]);

/** `F10.2`, `4.` or a format of value labels such as `ER30003F.`. */
const FORMAT = /^\$?[A-Za-z_]*[0-9]*[A-Za-z_]*\.?[0-9]*$/;

/**
 * Reads a SAS setup file as the PSID and other archives write it: `ATTRIB` or `LABEL` for labels,
 * `INFILE … LRECL = n`, and `INPUT` with `NAME first - last` or `@first NAME width.decimals`;
 * `VALUE` and `FORMAT` for the meanings of codes.
 *
 * A format of `ATTRIB` says how to print a number, not how it stands in the file; decimals are
 * implied only where `INPUT` says so.
 *
 * @throws {SyntaxError} If a statement reads otherwise, or is of none of these kinds.
 */
export function readSasSetup(source: string, file: string): WrittenLayout {
  const writer = new LayoutWriter(file);
  const setOf = new Map<string, string>();
  for (const statement of statementsOf(source, file, { end: "semicolon", quotes: "\"'" })) {
    const reader = new TokenReader(statement, file, 1);
    const command = statement.tokens[0]!.text.toLowerCase();
    if (command === "attrib") readAttributes(reader, writer);
    else if (command === "label") readLabels(reader, writer);
    else if (command === "infile") readInfile(reader, writer);
    else if (command === "input") readInput(reader, writer);
    else if (command === "value") readValues(reader, writer);
    else if (command === "format") readFormats(reader, setOf);
    else if (!IGNORED.has(command)) throw unknownCommand(file, statement.line, command);
    else checkNoInput(statement, file);
  }
  return writer.finish(setOf);
}

/** A forgotten semicolon would hide columns in a statement that is passed over. */
function checkNoInput(statement: Statement, file: string): void {
  const hidden = statement.tokens.find(
    ({ kind, text }) => kind === "word" && /^(?:input|attrib|infile)$/i.test(text),
  );
  if (hidden !== undefined) throw unknownCommand(file, hidden.line, `… ${hidden.text}`);
}

function readAttributes(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.done) {
    const name = reader.name();
    for (let any = false; ; any = true) {
      const { line } = reader;
      if (reader.take("label")) {
        expectEquals(reader);
        writer.label(name, { line, text: reader.text("a label") });
      } else if (reader.take("format") || reader.take("informat") || reader.take("length")) {
        expectEquals(reader);
        readFormat(reader);
      } else if (any) break;
      else throw reader.error("LABEL= or FORMAT=");
    }
  }
}

function readFormat(reader: TokenReader): string {
  const token = reader.peek();
  if (token?.kind !== "word" || !FORMAT.test(token.text)) throw reader.error("a format");
  return reader.next("a format").text;
}

function expectEquals(reader: TokenReader): void {
  if (!reader.take("=")) throw reader.error("=");
}

function readLabels(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.done) {
    const { line } = reader;
    const name = reader.name();
    expectEquals(reader);
    writer.label(name, { line, text: reader.text("a label") });
  }
}

function readInfile(reader: TokenReader, writer: LayoutWriter): void {
  reader.next("a file");
  while (!reader.done) {
    const { line } = reader;
    if (reader.take("lrecl")) {
      expectEquals(reader);
      writer.length(line, reader.number("a record length"));
    } else reader.next("an option");
  }
}

function readInput(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.done) {
    const { line } = reader;
    const at = /^@[0-9]{0,7}$/.exec(reader.peek()!.text);
    if (at !== null) {
      reader.next("@");
      const first = at[0] === "@" ? reader.number("a column") : Number(at[0].slice(1));
      const name = reader.name();
      writer.place({ line, name, ...readInformat(reader, first) });
    } else {
      const name = reader.name();
      const type = reader.take("$") ? "text" : "number";
      const { first, last } = reader.range();
      const decimals = /^\.[0-9]{1,2}$/.test(reader.peek()?.text ?? "")
        ? Number(reader.next("decimals").text.slice(1))
        : 0;
      writer.place({ line, name, first, last, type, decimals });
    }
  }
}

/** Reads `4.`, `F10.2`, `$3.` or `$CHAR3.` behind a name. */
function readInformat(
  reader: TokenReader,
  first: number,
): { first: number; last: number; type: "number" | "text"; decimals: number } {
  const match = /^(\$(?:CHAR)?|F)?([0-9]{1,5})\.([0-9]{1,2})?$/i.exec(reader.peek()?.text ?? "");
  if (match === null) throw reader.error("an informat such as 4. or F10.2");
  reader.next("an informat");
  const type = match[1]?.startsWith("$") === true ? "text" : "number";
  return { first, last: first + Number(match[2]) - 1, type, decimals: Number(match[3] ?? 0) };
}

/** Reads `VALUE NAME 1 = "…" 2 - 5 = "…"`; a range of codes stays one, as `2-5`. */
function readValues(reader: TokenReader, writer: LayoutWriter): void {
  const set = reader.name();
  while (!reader.done) {
    const { line } = reader;
    let code = readCode(reader);
    while (reader.take("-")) code += `-${readCode(reader)}`;
    while (reader.take(",")) code += `,${readCode(reader)}`;
    expectEquals(reader);
    writer.value(set, code, { line, text: reader.text("a meaning") });
  }
}

function readCode(reader: TokenReader): string {
  const sign = reader.take("-") ? "-" : "";
  const token = reader.peek();
  if (token === undefined || !/^(?:[0-9]{1,12}|other|low|high|\.)$/i.test(token.text)) {
    throw reader.error("a code");
  }
  return sign + reader.next("a code").text;
}

/** Reads `FORMAT NAME SET. …`: which set of meanings a variable has. */
function readFormats(reader: TokenReader, setOf: Map<string, string>): void {
  while (!reader.done) {
    const name = reader.name();
    setOf.set(name, readFormat(reader).replace(/\.$/, "").toUpperCase());
  }
}
