import { gunzipped } from "../../../data/archive/gunzip.ts";
import type { Career } from "../../../data/career.ts";
import { type CareerFormat, readCareers } from "../../../data/read_careers.ts";

/** How much of a file is read. */
export interface PeopleLimits {
  /** @default {2,000} */
  readonly maxPeople?: number;
  /** Of text, after decompression. @default {64 MiB} */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
  /** Reading lets the page draw after so many ms. @default {8} */
  readonly sliceMs?: number;
  /** Told of the people read so far, now and then. */
  readonly onCount?: (numPeople: number) => void;
}

/** People to train on. */
export interface People {
  readonly file: string;
  readonly careers: readonly Career[];
  readonly numYears: number;
  /** Why there is more in the file than was read, if there is. */
  readonly cut?: string;
}

/** What a browser tab trains on in reasonable time, and holds without trouble. */
export const MAX_PEOPLE = 2000;
const MAX_BYTES = 64 * 2 ** 20;

const SLICE_MS = 8;

const FORMATS: Readonly<Record<string, CareerFormat>> = {
  tsv: "tsv",
  csv: "csv",
  jsonl: "jsonl",
  ndjson: "jsonl",
};

/**
 * The format that a file's name tells.
 *
 * @throws {SyntaxError} If it tells none.
 */
export function formatOf(fileName: string): CareerFormat {
  const ending = /\.(\w+)(?:\.gz)?$/.exec(fileName.toLowerCase())?.[1] ?? "";
  const format = Object.hasOwn(FORMATS, ending) ? FORMATS[ending] : undefined;
  if (format !== undefined) return format;
  throw new SyntaxError(
    `Cannot read ${fileName}: its name must end in .tsv, .csv or .jsonl (or one of these and .gz), got "${ending}"`,
  );
}

/**
 * Reads people from a table of careers as it streams, checking each; it stops at a limit without
 * reading on, and never keeps the page from drawing for long.
 *
 * @throws {SyntaxError} If a row is wrong, naming file, line and remedy, or no person fits.
 */
export async function readPeople(file: File, limits: PeopleLimits = {}): Promise<People> {
  const { maxPeople = MAX_PEOPLE, maxBytes = MAX_BYTES, sliceMs = SLICE_MS } = limits;
  const { signal, onCount } = limits;
  const format = formatOf(file.name);
  const careers: Career[] = [];
  let [numYears, slice] = [0, performance.now()];
  const people = (cut?: string): People => {
    const { name } = file;
    return {
      file: name,
      careers,
      numYears,
      ...(cut !== undefined && { cut: cutText(careers, cut) }),
    };
  };
  try {
    const bytes: ReadableStream<Uint8Array> = file.stream();
    const text = isPacked(file.name) ? gunzipped(bytes) : bytes;
    const stream = text.pipeThrough(atMost(maxBytes));
    for await (const career of readCareers(stream, { format, file: file.name })) {
      if (careers.length === maxPeople) return people("trains on no more in reasonable time");
      careers.push(career);
      numYears += career.observations.length;
      if (performance.now() - slice < sliceMs) continue;
      onCount?.(careers.length);
      await pause();
      signal?.throwIfAborted();
      slice = performance.now();
    }
    return people();
  } catch (error) {
    if (!(error instanceof TooLongError) || careers.length === 0) throw readable(error, file.name);
    return people(`reads no more than ${Math.ceil(maxBytes / 2 ** 20)} MiB of text`);
  }
}

function cutText({ length }: readonly Career[], why: string): string {
  return `Only the first ${length.toLocaleString("en")} people are used: a tab ${why}.`;
}

function isPacked(fileName: string): boolean {
  return fileName.toLowerCase().endsWith(".gz");
}

/** A file is longer than anybody wants to read. */
class TooLongError extends RangeError {
  override readonly name = "TooLongError";
}

/** Ends a stream with a {@linkcode TooLongError} once it is longer than it may be. */
function atMost(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let left = maxBytes;
  return new TransformStream({
    transform: (chunk, controller) => {
      left -= chunk.length;
      if (left >= 0) return controller.enqueue(chunk);
      const rule = `the first person must fit into ${maxBytes} bytes`;
      controller.error(new TooLongError(`${rule}, got a longer table`));
    },
  });
}

/** An error that names the file; the browser's own words do not. */
function readable(error: unknown, file: string): unknown {
  const { name, message } = error as Error;
  if (name === "SyntaxError" || name === "AbortError") return error;
  const rule = isPacked(file)
    ? "it must be a whole gzip file"
    : "the browser must be able to read it";
  const problem = error instanceof TooLongError ? message : `${rule}, got ${message}`;
  return new SyntaxError(`Cannot read ${file}: ${problem}`, { cause: error });
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
