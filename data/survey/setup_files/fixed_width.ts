import { syntaxError } from "../../lines.ts";
import type { Column, Layout } from "./layout.ts";

/** One record of a fixed-width file. */
export interface FixedWidthRecord {
  /** Line number, from 1. */
  readonly line: number;
  /** Values in the order of the columns asked for; `undefined` where the field is blank. */
  readonly values: readonly (number | undefined)[];
}

/** Options for {@linkcode readFixedWidth}. */
export interface FixedWidthOptions {
  /** Name of the file, for errors. */
  readonly file: string;
  readonly layout: Layout;
  /** Names of the columns to keep, in capitals. */
  readonly columns: readonly string[];
}

const LF = 10;
const CR = 13;
const SPACE = 32;
const POINT = 46;
const ZERO = 48;

/** The sign that Windows programs of old put at the end of a file. */
const END_OF_FILE = 26;

/**
 * Yields the records of a fixed-width file as they arrive, with the columns asked for alone.
 *
 * Every record must have exactly the layout's length; lines end in LF or CRLF. A field of blanks
 * is missing; so is a single point, as SAS writes missing values. Time is linear in the bytes;
 * memory is that of a chunk, a record and what is yielded.
 *
 * @throws {SyntaxError} If a record has another length, or a field is no number, naming line,
 *   columns and variable; or if there is no record.
 * @throws {RangeError} If a column is not in the layout.
 * @throws {TypeError} If a column holds text.
 */
export async function* readFixedWidth(
  stream: ReadableStream<Uint8Array>,
  options: FixedWidthOptions,
): AsyncGenerator<FixedWidthRecord, void, undefined> {
  const { file, layout } = options;
  const columns = options.columns.map((name) => numericColumn(layout, name));
  const pending = new Uint8Array(layout.recordLength + 1); // a record and a carriage return
  let filled = 0;
  let line = 1;
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      const chunk = read.value;
      let from = 0;
      for (let to = chunk.indexOf(LF); to >= 0; to = chunk.indexOf(LF, from)) {
        let record: Uint8Array;
        if (filled === 0) record = chunk.subarray(from, to);
        else {
          filled = append(pending, filled, { chunk, from, to, file, line, layout });
          record = pending.subarray(0, filled);
        }
        yield { line, values: valuesOf(record, columns, { file, line, layout }) };
        filled = 0;
        line++;
        from = to + 1;
      }
      filled = append(pending, filled, { chunk, from, to: chunk.length, file, line, layout });
    }
    if (filled > 0 && !(filled === 1 && pending[0] === END_OF_FILE)) {
      const record = pending.subarray(0, filled);
      yield { line, values: valuesOf(record, columns, { file, line, layout }) };
    } else if (line === 1) {
      throw syntaxError(file, 1, "a data file must have at least one record, got none");
    }
  } finally {
    // Also when the consumer stops early, so that the source is closed.
    await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

interface Place {
  readonly file: string;
  readonly line: number;
  readonly layout: Layout;
}

/** Copies a piece of a record behind what came before; a record never grows beyond its length. */
function append(
  pending: Uint8Array,
  filled: number,
  { chunk, from, to, ...place }: Place & { chunk: Uint8Array; from: number; to: number },
): number {
  const total = filled + to - from;
  if (total > pending.length) throw lengthError(place, `more than ${place.layout.recordLength}`);
  pending.set(chunk.subarray(from, to), filled);
  return total;
}

function lengthError({ file, line, layout }: Place, got: string): SyntaxError {
  return syntaxError(
    file,
    line,
    `a record must have ${layout.recordLength} characters as ${layout.file} says, got ${got} ` +
      `(do the two files belong together?)`,
  );
}

function valuesOf(
  record: Uint8Array,
  columns: readonly Column[],
  place: Place,
): (number | undefined)[] {
  const length = record.at(-1) === CR ? record.length - 1 : record.length;
  if (length !== place.layout.recordLength) throw lengthError(place, String(length));
  return columns.map((column) => {
    const value = numberIn(record, column);
    if (!Number.isNaN(value)) return value;
    const text = String.fromCharCode(
      ...record.subarray(column.first - 1, column.last).slice(0, 40),
    );
    throw syntaxError(
      place.file,
      place.line,
      `"${column.name}" in columns ${column.first} - ${column.last} must be a number or blank, ` +
        `got ${JSON.stringify(text)}`,
    );
  });
}

/** The number in a field: `undefined` if it is blank, NaN if it is none. */
function numberIn(record: Uint8Array, { first, last, decimals }: Column): number | undefined {
  let from = first - 1;
  let to = last;
  while (from < to && record[from] === SPACE) from++;
  while (to > from && record[to - 1] === SPACE) to--;
  if (from === to || (to - from === 1 && record[from] === POINT)) return undefined;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = record[i]! - ZERO;
    // Signs, points and more digits than a number holds exactly are rare: leave them to Number().
    if (digit < 0 || digit > 9 || i - from >= 15) {
      return decimalIn(String.fromCharCode(...record.subarray(from, to)), decimals);
    }
    value = value * 10 + digit;
  }
  return decimals === 0 ? value : value / 10 ** decimals;
}

function decimalIn(text: string, decimals: number): number {
  if (!/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(text)) return Number.NaN;
  const implied = text.includes(".") ? 0 : decimals;
  return Number(text) / 10 ** implied;
}

function numericColumn(layout: Layout, name: string): Column {
  const column = layout.columns.get(name);
  if (column === undefined) {
    throw new RangeError(`Cannot read column "${name}": ${layout.file} must place it, got none`);
  }
  if (column.type === "number") return column;
  throw new TypeError(`Cannot read column "${name}": it must hold numbers, got text`);
}
