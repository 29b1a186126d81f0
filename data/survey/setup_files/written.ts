import { syntaxError } from "../../lines.ts";
import type { WrittenColumn, WrittenLabel, WrittenLayout } from "./layout.ts";

/** Gathers what a setup file says, statement by statement. */
export class LayoutWriter {
  readonly file: string;
  private readonly columns: WrittenColumn[] = [];
  private readonly labels = new Map<string, WrittenLabel>();
  private readonly values = new Map<string, Map<string, string>>();
  private recordLength: { readonly line: number; readonly length: number } | undefined;

  constructor(file: string) {
    this.file = file;
  }

  /** Whether any column was placed. */
  get hasColumns(): boolean {
    return this.columns.length > 0;
  }

  /** Places a column. */
  place(column: WrittenColumn): void {
    this.columns.push(column);
  }

  /** @throws {SyntaxError} If the variable has another label already. */
  label(name: string, label: WrittenLabel): void {
    const earlier = this.labels.get(name);
    if (earlier !== undefined && earlier.text !== label.text) {
      throw syntaxError(
        this.file,
        label.line,
        `a variable must have one label, got "${name}" with another on line ${earlier.line}`,
      );
    }
    this.labels.set(name, label);
  }

  /** @throws {SyntaxError} If the code has another meaning already. */
  value(name: string, code: string, meaning: WrittenLabel): void {
    const codes = this.values.get(name) ?? new Map<string, string>();
    this.values.set(name, codes);
    const earlier = codes.get(code);
    if (earlier !== undefined && earlier !== meaning.text) {
      throw syntaxError(
        this.file,
        meaning.line,
        `a code must have one meaning, got ${code} of "${name}" with two`,
      );
    }
    codes.set(code, meaning.text);
  }

  /** @throws {SyntaxError} If another length was stated before. */
  length(line: number, length: number): void {
    const earlier = this.recordLength;
    if (earlier !== undefined && earlier.length !== length) {
      throw syntaxError(
        this.file,
        line,
        `records must have one length, got ${length} after ${earlier.length} on line ${earlier.line}`,
      );
    }
    this.recordLength = { line, length };
  }

  /** All of it; value labels by the name of their set where `setOf` says so, as in SAS and Stata. */
  finish(setOf: ReadonlyMap<string, string> = new Map()): WrittenLayout {
    const values = new Map(this.values);
    for (const [variable, set] of setOf) {
      const codes = this.values.get(set);
      if (codes !== undefined) values.set(variable, codes);
    }
    return {
      file: this.file,
      columns: this.columns,
      labels: this.labels,
      values,
      ...(this.recordLength !== undefined && { recordLength: this.recordLength }),
    };
  }
}

/** The error that a command is none that describes columns. */
export function unknownCommand(file: string, line: number, command: string): SyntaxError {
  return syntaxError(
    file,
    line,
    `a setup file must only describe columns, got the command "${command.slice(0, 80)}" ` +
      `(this program does not run setup files; remove what was added to the original)`,
  );
}
