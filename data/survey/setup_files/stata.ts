import type { WrittenLayout } from "./layout.ts";
import { readDictionary } from "./stata_dictionary.ts";
import { statementsOf, type Statement } from "./statements.ts";
import { TokenReader } from "./token_reader.ts";
import { LayoutWriter, unknownCommand } from "./written.ts";

/** Commands that say nothing of columns. */
const IGNORED = new Set(["capture", "clear", "compress", "describe", "exit", "log", "save", "set"]);

const TYPES = new Set(["byte", "int", "long", "float", "double"]);

/**
 * Reads a Stata do-file as the PSID and other archives write it: `infix NAME first - last … using`,
 * `label variable`, `label define` and `label values`; or a dictionary with `_column()` and `%f`.
 *
 * @throws {SyntaxError} If a command reads otherwise, or is of none of these kinds.
 */
export function readStataSetup(source: string, file: string): WrittenLayout {
  const writer = new LayoutWriter(file);
  const setOf = new Map<string, string>();
  const dialect = { end: "line", quotes: '"', slashes: true } as const;
  const dictionary = /^[ \t]*(?:infile|infix)[ \t]+dictionary\b/im.test(source);
  if (dictionary) {
    for (const statement of statementsOf(source, file, { ...dialect, end: "file" })) {
      readDictionary(new TokenReader(statement, file), writer);
    }
    return writer.finish();
  }
  for (const statement of statementsOf(source, file, dialect)) {
    const command = statement.tokens[0]!.text.toLowerCase();
    if (command === "infix") readInfix(new TokenReader(statement, file, 1), writer);
    else if (command === "label" || command === "lab") {
      readLabel(statement, new TokenReader(statement, file, 1), { writer, setOf });
    } else if (command === "forvalues" || command === "}") {
      continue; // how value labels of many codes are written; their meaning is the same for all
    } else if (!IGNORED.has(command)) throw unknownCommand(file, statement.line, command);
  }
  return writer.finish(setOf);
}

function readInfix(reader: TokenReader, writer: LayoutWriter): void {
  while (!reader.take("using")) {
    const { line } = reader;
    let type: "number" | "text" = "number";
    const word = reader.peek()?.text.toLowerCase() ?? "";
    // A type is one only before a name: a variable may be called "long" as well.
    if (reader.peek(1)?.kind === "word" && !/^[0-9]/.test(reader.peek(1)!.text)) {
      if (/^str[0-9]*$/.test(word)) type = "text";
      else if (!TYPES.has(word)) throw reader.error("a type, a name or the word using");
      reader.next("a type");
    }
    const name = reader.name();
    writer.place({ line, name, ...reader.range(), type, decimals: 0 });
  }
}

function readLabel(
  statement: Statement,
  reader: TokenReader,
  { writer, setOf }: { writer: LayoutWriter; setOf: Map<string, string> },
): void {
  const { line } = statement;
  if (reader.take("variable") || reader.take("var")) {
    writer.label(reader.name(), { line, text: reader.text("a label") });
  } else if (reader.take("values") || reader.take("val")) {
    const names = [reader.name()];
    while (!reader.done && reader.peek()?.text !== ",") names.push(reader.name());
    const set = names.pop()!;
    for (const name of names) setOf.set(name, set);
  } else if (reader.take("define") || reader.take("def")) {
    readDefinition(reader, writer);
  } else if (!reader.take("data")) throw reader.error("variable, define or values");
}

function readDefinition(reader: TokenReader, writer: LayoutWriter): void {
  const set = reader.name();
  // Within a loop the code is the loop's variable.
  while (!reader.done && !reader.take(",") && reader.peek()?.text.startsWith("`") !== true) {
    const { line } = reader;
    const sign = reader.take("-") ? "-" : "";
    const code = sign + String(reader.number("a code"));
    writer.value(set, code, { line, text: reader.text("a meaning") });
  }
}
