import type { TokenReader } from "./token_reader.ts";
import type { LayoutWriter } from "./written.ts";

const TYPE = /^(?:byte|int|long|float|double|str[0-9]*)$/i;

/** `%8.2f` is a number with two implied decimals, `%5s` a text. */
const INFORMAT = /^%([0-9]{1,5})(?:\.([0-9]{1,2}))?(f|g|s)$/i;

/**
 * Reads a Stata dictionary: `infile dictionary using file { _column(1) byte NAME %1f "label" … }`,
 * or the columns of `infix dictionary { NAME 1-4 … }`.
 *
 * @throws {SyntaxError} If it reads otherwise, or a record takes more than one line.
 */
export function readDictionary(reader: TokenReader, writer: LayoutWriter): void {
  const infix = reader.take("infix");
  if (!infix) reader.take("infile");
  if (!reader.take("dictionary")) throw reader.error("dictionary");
  while (!reader.take("{")) reader.next("a brace before the columns");
  // Where a field that names no column begins: behind the one before.
  let next = 1;
  while (!reader.take("}")) {
    if (readDirective(reader, writer)) continue;
    const { line } = reader;
    if (reader.take("_column")) next = readArgument(reader, "a column");
    let type: "number" | "text" = "number";
    const word = reader.peek()?.text ?? "";
    if (TYPE.test(word)) {
      reader.next("a type");
      if (/^str/i.test(word)) type = "text";
    }
    const name = reader.name();
    const place = infix ? { ...reader.range(), decimals: 0, type } : readPlace(reader, next, type);
    writer.place({ line, name, ...place });
    next = place.last + 1;
    if (reader.peek()?.kind === "text") {
      writer.label(name, { line, text: reader.text("a label") });
    }
  }
  if (!reader.done) throw reader.error("the end of the dictionary");
}

/** Takes what is about all records: their lines and their length. */
function readDirective(reader: TokenReader, writer: LayoutWriter): boolean {
  const { line } = reader;
  if (reader.take("_lrecl")) {
    writer.length(line, readArgument(reader, "a record length"));
    return true;
  }
  if (reader.take("_lines") || reader.take("_line") || reader.take("lines")) {
    const lines =
      reader.peek()?.text === "(" ? readArgument(reader, "a count") : reader.number("a count");
    if (lines !== 1) throw reader.error("one line a record");
    return true;
  }
  return false;
}

function readArgument(reader: TokenReader, of: string): number {
  if (!reader.take("(")) throw reader.error("(");
  const value = reader.number(of);
  if (!reader.take(")")) throw reader.error(")");
  return value;
}

function readPlace(
  reader: TokenReader,
  first: number,
  type: "number" | "text",
): { first: number; last: number; type: "number" | "text"; decimals: number } {
  const match = INFORMAT.exec(reader.peek()?.text ?? "");
  if (match === null) throw reader.error("an informat such as %4f");
  reader.next("an informat");
  return {
    first,
    last: first + Number(match[1]) - 1,
    type: match[3]!.toLowerCase() === "s" ? "text" : type,
    decimals: Number(match[2] ?? 0),
  };
}
