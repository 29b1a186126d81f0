import { syntaxError } from "../../lines.ts";
import type { Statement, Token } from "./statements.ts";

/** Walks the tokens of a statement; its errors name the line of the token in the way. */
export class TokenReader {
  private at = 0;
  private readonly tokens: readonly Token[];
  private readonly file: string;
  private readonly lastLine: number;

  /** @param skip Tokens to begin behind: the words of the command itself. */
  constructor(statement: Statement, file: string, skip = 0) {
    this.tokens = statement.tokens;
    this.file = file;
    this.at = skip;
    this.lastLine = statement.tokens.at(-1)?.line ?? statement.line;
  }

  /** Whether all tokens were taken. */
  get done(): boolean {
    return this.at >= this.tokens.length;
  }

  /** Line of the next token. */
  get line(): number {
    return this.tokens[this.at]?.line ?? this.lastLine;
  }

  /** The token `ahead` places on, still to be taken. */
  peek(ahead = 0): Token | undefined {
    return this.tokens[this.at + ahead];
  }

  /** Takes the next token. */
  next(expected: string): Token {
    const token = this.tokens[this.at];
    if (token === undefined) throw this.error(expected);
    this.at++;
    return token;
  }

  /** Takes the next token if it is this sign or word, in any case. */
  take(text: string): boolean {
    const token = this.tokens[this.at];
    if (token === undefined || token.kind === "text") return false;
    if (token.text.toLowerCase() !== text) return false;
    this.at++;
    return true;
  }

  /** Takes a text in quotes. */
  text(of: string): string {
    if (this.peek()?.kind !== "text") throw this.error(`${of} in quotes`);
    return this.next(of).text.trim();
  }

  /** Takes a name of a variable, in capitals. */
  name(): string {
    const token = this.peek();
    if (token?.kind !== "word" || !/^[A-Za-z_][A-Za-z0-9_]{0,31}$/.test(token.text)) {
      throw this.error("the name of a variable");
    }
    return this.next("a name").text.toUpperCase();
  }

  /** Takes a whole number of at most seven digits. */
  number(of: string): number {
    const token = this.peek();
    if (token?.kind !== "word" || !/^[0-9]{1,7}$/.test(token.text)) throw this.error(of);
    return Number(this.next(of).text);
  }

  /** Takes `first - last`, or `first` alone for a field of one character. */
  range(): { first: number; last: number } {
    const first = this.number("the first column of a field");
    const last = this.take("-") ? this.number("the last column of a field") : first;
    return { first, last };
  }

  /** The error that something else must stand here. */
  error(expected: string): SyntaxError {
    const token = this.tokens[this.at];
    const got = token === undefined ? "the end of the statement" : `"${token.text.slice(0, 80)}"`;
    return syntaxError(this.file, this.line, `${expected} must stand here, got ${got}`);
  }
}
