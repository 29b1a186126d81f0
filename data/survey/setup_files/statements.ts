import { syntaxError } from "../../lines.ts";

/** A word, a quoted text or a sign of a setup file. */
export interface Token {
  readonly kind: "word" | "text" | "sign";
  readonly text: string;
  readonly line: number;
}

/** A command of a setup file. */
export interface Statement {
  readonly line: number;
  readonly tokens: readonly Token[];
}

/** How a program separates and quotes. */
export interface Dialect {
  /**
   * What ends a statement; Stata's files may change it with `#delimit`. A dictionary is one
   * statement, which only the end of the file ends.
   */
  readonly end: "semicolon" | "period" | "line" | "file";
  /** Characters that open and close a text. */
  readonly quotes: string;
  /** Whether `//` begins a comment and `///` joins lines, as in Stata. */
  readonly slashes?: boolean;
}

const SIGNS = new Set("=-/(),;{}");
const BLANKS = new Set(" \t\r\f\v");

/**
 * Cuts a setup file into statements, without comments, in one pass.
 *
 * A comment is what stands between `/*` and its end, or a statement that begins with a star.
 *
 * @throws {SyntaxError} If a text or a comment is not closed.
 */
export function statementsOf(source: string, file: string, dialect: Dialect): Statement[] {
  return new Scanner(source, file, dialect).scan();
}

class Scanner {
  private at = 0;
  private line = 1;
  private end: Dialect["end"];
  private tokens: Token[] = [];
  private readonly statements: Statement[] = [];
  private readonly source: string;
  private readonly file: string;
  private readonly dialect: Dialect;

  constructor(source: string, file: string, dialect: Dialect) {
    this.source = source.startsWith("\uFEFF") ? source.slice(1) : source;
    this.file = file;
    this.dialect = dialect;
    this.end = dialect.end;
  }

  scan(): Statement[] {
    while (this.at < this.source.length) this.step();
    this.finish();
    return this.statements;
  }

  private step(): void {
    const char = this.source[this.at]!;
    if (char === "\n") return this.newLine();
    if (BLANKS.has(char)) this.at++;
    else if (char === "\0") throw this.error("the text must not contain NUL (is it a setup file?)");
    else if (char === "*" && this.mayComment()) this.skipStarComment();
    else if (this.source.startsWith("/*", this.at)) this.skipBlockComment();
    else if (this.dialect.slashes === true && this.source.startsWith("//", this.at)) {
      this.skipSlashComment();
    } else if (this.source.startsWith('`"', this.at) && this.dialect.slashes === true) {
      this.readText("\"'", 2);
    } else if (this.dialect.quotes.includes(char)) this.readText(char, 1);
    else if (char === ";" && this.end === "semicolon") {
      this.at++;
      this.finish();
    } else if (SIGNS.has(char)) this.push("sign", char, 1);
    else this.readWord();
  }

  private newLine(): void {
    this.at++;
    this.line++;
    if (this.end === "line") this.finish();
  }

  /** Whether a star begins a comment: first in a statement, or first on a line of a dictionary. */
  private mayComment(): boolean {
    const last = this.tokens.at(-1);
    return last === undefined || (this.end === "file" && last.line < this.line);
  }

  /** Skips a statement of stars: to the end sign, a line that ends in a period, or the line's end. */
  private skipStarComment(): void {
    const byLine = this.end === "line" || this.end === "file";
    const pattern = this.end === "semicolon" ? /;/g : byLine ? /\n/g : /\.[ \t\r]*(?:\n|$)/g;
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found === null && !byLine) {
      throw this.error(
        `a comment must end with ${this.end === "semicolon" ? "a semicolon" : "a period at the end of a line"}, got the end of the file`,
      );
    }
    // A line's end stays, for it may end more than the comment.
    const kept = byLine ? 0 : 1;
    this.skipTo(found === null ? this.source.length : found.index + kept * found[0].length);
  }

  private skipBlockComment(): void {
    const end = this.source.indexOf("*/", this.at + 2);
    if (end < 0) throw this.error("a comment must be closed by */, got the end of the file");
    this.skipTo(end + 2);
  }

  private skipSlashComment(): void {
    const joins = this.source.startsWith("///", this.at);
    const end = this.source.indexOf("\n", this.at);
    this.skipTo(end < 0 ? this.source.length : joins ? end + 1 : end);
  }

  private skipTo(end: number): void {
    for (let i = this.at; i < end; i++) if (this.source[i] === "\n") this.line++;
    this.at = end;
  }

  /** Reads a text to its closing quote on the same line; a doubled quote stands for one. */
  private readText(quote: string, opening: number): void {
    const lineEnd = this.source.indexOf("\n", this.at);
    const limit = lineEnd < 0 ? this.source.length : lineEnd;
    let text = "";
    for (let from = this.at + opening; ;) {
      const close = this.source.indexOf(quote, from);
      if (close < 0 || close >= limit) {
        throw this.error("a text must be closed on its line, got the line's end");
      }
      text += this.source.slice(from, close);
      from = close + quote.length;
      if (quote.length > 1 || this.source[from] !== quote) {
        this.tokens.push({ kind: "text", text, line: this.line });
        this.at = from;
        return;
      }
      text += quote;
      from++;
    }
  }

  private readWord(): void {
    let end = this.at + 1;
    while (end < this.source.length && !this.endsWord(end)) end++;
    let word = this.source.slice(this.at, end);
    const ends = this.end === "period" && word.endsWith(".") && this.isLineEnd(end);
    if (ends) word = word.slice(0, -1);
    if (word !== "") this.push("word", word, 0);
    this.at = end;
    if (ends) this.finish();
  }

  private endsWord(at: number): boolean {
    const char = this.source[at]!;
    return (
      char === "\n" || BLANKS.has(char) || SIGNS.has(char) || this.dialect.quotes.includes(char)
    );
  }

  private isLineEnd(at: number): boolean {
    let end = at;
    while (end < this.source.length && BLANKS.has(this.source[end]!)) end++;
    return end >= this.source.length || this.source[end] === "\n";
  }

  private push(kind: Token["kind"], text: string, length: number): void {
    this.tokens.push({ kind, text, line: this.line });
    this.at += length;
  }

  private finish(): void {
    const [first, second] = this.tokens;
    if (first === undefined) return;
    if (this.dialect.slashes === true && first.text.toLowerCase() === "#delimit") {
      this.end = second?.text === ";" ? "semicolon" : "line";
    } else {
      this.statements.push({ line: first.line, tokens: this.tokens });
    }
    this.tokens = [];
  }

  private error(problem: string): SyntaxError {
    return syntaxError(this.file, this.line, problem);
  }
}
