import { syntaxError } from "../../lines.ts";

/** Where a variable stands in each record of a fixed-width file. */
export interface Column {
  /** In capitals, for the programs that write setup files do not tell cases apart. */
  readonly name: string;
  /** First and last character of the field, from 1, both included. */
  readonly first: number;
  readonly last: number;
  readonly type: "number" | "text";
  /** Digits behind a decimal point that the file leaves out; 0 where it writes the point. */
  readonly decimals: number;
  readonly label?: string;
  /** Meanings of codes, where the setup file tells them. */
  readonly values?: ReadonlyMap<string, string>;
}

/** All columns of a fixed-width file. */
export interface Layout {
  /** The setup file it was read from. */
  readonly file: string;
  /** Characters of a record, without its line end. */
  readonly recordLength: number;
  /** By name, in the order of the file. */
  readonly columns: ReadonlyMap<string, Column>;
}

/** A column as a setup file writes it down, with its line for errors. */
export interface WrittenColumn {
  readonly line: number;
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly type: "number" | "text";
  readonly decimals: number;
}

/** A text about a variable, with its line for errors. */
export interface WrittenLabel {
  readonly line: number;
  readonly text: string;
}

/** What a setup file says, before it is checked. */
export interface WrittenLayout {
  readonly file: string;
  readonly columns: readonly WrittenColumn[];
  /** The record length that the file states, and where; else records end with the last column. */
  readonly recordLength?: { readonly line: number; readonly length: number };
  /** By name of the variable, in capitals. */
  readonly labels: ReadonlyMap<string, WrittenLabel>;
  readonly values: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Longest record, in characters; the longest of the PSID have some 15,000. */
const MAX_RECORD_LENGTH = 2 ** 20;

/**
 * Checks columns against each other and puts the pieces together.
 *
 * Time: that of sorting the columns.
 *
 * @throws {SyntaxError} If there is no column, a name stands twice, a field is empty, reversed,
 *   behind the end of the record or over another field, or a label is of no column.
 */
export function layoutOf(written: WrittenLayout): Layout {
  const { file } = written;
  if (written.columns.length === 0) {
    throw syntaxError(file, 1, "a setup file must place at least one column, got none");
  }
  const recordLength =
    written.recordLength?.length ??
    written.columns.reduce((most, { last }) => Math.max(most, last), 1);
  if (recordLength < 1 || recordLength > MAX_RECORD_LENGTH) {
    const line = written.recordLength?.line ?? 1;
    throw syntaxError(
      file,
      line,
      `a record must have 1 to ${MAX_RECORD_LENGTH} characters, got ${recordLength}`,
    );
  }
  const columns = new Map<string, Column>();
  for (const column of written.columns) {
    checkColumn(column, recordLength, file);
    if (columns.has(column.name)) {
      throw syntaxError(
        file,
        column.line,
        `a variable must stand in one place, got "${column.name}" a second time`,
      );
    }
    const { line: _, ...place } = column;
    const label = written.labels.get(column.name)?.text;
    const values = written.values.get(column.name);
    columns.set(column.name, {
      ...place,
      ...(label !== undefined && { label }),
      ...(values !== undefined && { values }),
    });
  }
  checkOverlap(written.columns, file);
  for (const [name, { line }] of written.labels) {
    if (!columns.has(name)) {
      throw syntaxError(file, line, `a label must be of a variable with a column, got "${name}"`);
    }
  }
  return { file, recordLength, columns };
}

function checkColumn(column: WrittenColumn, recordLength: number, file: string): void {
  const { line, name, first, last, decimals } = column;
  if (first < 1 || last < first) {
    throw syntaxError(
      file,
      line,
      `the columns of "${name}" must ascend from 1, got ${first} - ${last}`,
    );
  }
  if (last > recordLength) {
    throw syntaxError(
      file,
      line,
      `the columns of "${name}" must end within the record of ${recordLength} characters, got ${first} - ${last}`,
    );
  }
  if (decimals > last - first + 1) {
    throw syntaxError(
      file,
      line,
      `"${name}" must have at most as many decimals as characters, got ${decimals} of ${last - first + 1}`,
    );
  }
}

function checkOverlap(columns: readonly WrittenColumn[], file: string): void {
  const sorted = columns.toSorted((a, b) => a.first - b.first);
  let before: WrittenColumn | undefined;
  for (const column of sorted) {
    if (before !== undefined && column.first <= before.last) {
      throw syntaxError(
        file,
        Math.max(column.line, before.line),
        `columns must not overlap, got "${before.name}" in ${before.first} - ${before.last} ` +
          `and "${column.name}" in ${column.first} - ${column.last}`,
      );
    }
    before = column;
  }
}

/**
 * Says how two layouts of the same file contradict each other; labels may differ, for each
 * program cuts them in its own way.
 *
 * @returns `undefined` where they agree.
 */
export function layoutConflict(a: Layout, b: Layout): string | undefined {
  if (a.recordLength !== b.recordLength) {
    return `records of ${a.recordLength} characters in ${a.file}, of ${b.recordLength} in ${b.file}`;
  }
  for (const name of new Set([...a.columns.keys(), ...b.columns.keys()])) {
    const [here, there] = [a.columns.get(name), b.columns.get(name)];
    const [one, other] = [here, there].map((column) =>
      column === undefined
        ? "nowhere"
        : `${column.type} ${column.first} - ${column.last} with ${column.decimals} implied decimals`,
    );
    if (one !== other) return `"${name}" is ${one} in ${a.file}, ${other} in ${b.file}`;
  }
  return undefined;
}
