import { stat } from "node:fs/promises";
import { streamOfChunks } from "../../data/archive/archive.ts";
import { type Line, readLines, syntaxError } from "../../data/lines.ts";
import { EXIT, failingAs } from "../platform/errors.ts";
import { openFile } from "../platform/files.ts";

/** A record of an input, and where it stands. */
export interface Located<T> {
  readonly value: T;
  /** From 1. */
  readonly line: number;
  /** For errors: `"texts.jsonl, line 3"`. */
  readonly place: string;
}

/** A whole input that has been checked, and can be read as often as one likes. */
export interface Records<T> {
  readonly count: number;
  read(): AsyncIterable<Located<T>>;
}

/** How a line becomes a record. */
export type ParseLine<T> = (line: Line, file: string) => T;

/**
 * Opens an input of one record a line, gzipped or not. A file is read once to check and count all
 * of it, so that a bad line is told before hours of work, and again for the work; what cannot be
 * read twice is kept in memory. Blank lines are passed over unless they are records themselves.
 *
 * @param path A file, a pipe, or `"-"` for stdin.
 * @param options `parse` throws a SyntaxError that names the line; `visit` sees each record of the
 *   first reading.
 * @throws {CliError} With exit code 3 if a line is wrong, naming it.
 */
export async function openRecords<T>(
  path: string,
  options: {
    readonly parse: ParseLine<T>;
    readonly blank?: "skip" | "keep";
    readonly visit?: (record: Located<T>) => void;
  },
): Promise<Records<T>> {
  const isFile = path !== "-" && (await stat(path).catch(() => undefined))?.isFile() === true;
  const kept: Located<T>[] = [];
  let count = 0;
  for await (const record of readRecords(path, options)) {
    count += 1;
    if (!isFile) kept.push(record);
    options.visit?.(record);
  }
  if (!isFile) return recordsOf(kept);
  return { count, read: () => readRecords(path, options) };
}

/** Records that are in memory. */
export function recordsOf<T>(records: readonly Located<T>[]): Records<T> {
  return {
    count: records.length,
    async *read() {
      yield* records;
    },
  };
}

/** Records as groups of some size, the last one perhaps smaller. */
export async function* groupsOf<T>(
  records: AsyncIterable<T>,
  size: number,
): AsyncGenerator<T[], void, undefined> {
  let group: T[] = [];
  for await (const record of records) {
    group.push(record);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

async function* readRecords<T>(
  path: string,
  { parse, blank = "skip" }: { readonly parse: ParseLine<T>; readonly blank?: "skip" | "keep" },
): AsyncGenerator<Located<T>, void, undefined> {
  const file = path === "-" ? "stdin" : path;
  const stream = path === "-" ? streamOfChunks(stdinChunks()) : await openFile(path);
  const lines = readLines(stream, { file });
  for (;;) {
    const next = await failingAs(EXIT.data, async () => {
      const { done, value } = await lines.next();
      if (done === true) return undefined;
      const line = { line: value.line, text: value.text.replace(/\r$/, "") };
      if (blank === "skip" && line.text.trim() === "") return "blank";
      const place = `${file}, line ${line.line}`;
      return { value: parse(line, file), line: line.line, place };
    });
    if (next === undefined) return;
    if (next !== "blank") yield next;
  }
}

/** Not `Readable.toWeb()`, which may throw where nobody catches it when it is canceled. */
async function* stdinChunks(): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of process.stdin) yield chunk as Uint8Array;
}

/** Whether the name of a file says that its lines are JSON. */
export function isJsonLines(path: string): boolean {
  return /\.(jsonl|ndjson)(\.gz)?$/i.test(path);
}

/** What a JSON record may be called by. */
export type RecordId = string | number;

/** The fields of a line of JSON, which may be these and no others. */
export function jsonFields(
  { line, text }: Line,
  file: string,
  keys: readonly string[],
): ReadonlyMap<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw syntaxError(file, line, `a line must be one JSON object, got ${brief(text)}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw syntaxError(file, line, `a line must be one JSON object, got ${brief(json)}`);
  }
  const fields = new Map<string, unknown>(Object.entries(json));
  const stranger = [...fields.keys()].find((key) => !keys.includes(key));
  if (stranger === undefined) return fields;
  throw syntaxError(
    file,
    line,
    `a line may have the keys ${keys.join(", ")}, got ${brief(stranger)}`,
  );
}

/** A field that must be a string. */
export function textField(
  fields: ReadonlyMap<string, unknown>,
  key: string,
  place: { readonly file: string; readonly line: number },
): string {
  const value = fields.get(key);
  if (typeof value === "string") return value;
  throw syntaxError(place.file, place.line, `${key} must be a string, got ${brief(value)}`);
}

/** The id of a record, if it has one. */
export function idField(
  fields: ReadonlyMap<string, unknown>,
  { file, line }: { readonly file: string; readonly line: number },
): { readonly id?: RecordId } {
  const id = fields.get("id");
  if (id === undefined || id === null) return {};
  if (typeof id === "string" || typeof id === "number") return { id };
  throw syntaxError(file, line, `id must be a string or a number, got ${brief(id)}`);
}

function brief(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
