import type { Career } from "../../../data/career.ts";
import { type CareerFormat, readCareers } from "../../../data/read_careers.ts";

/** How much of a file is read. */
export interface PeopleLimits {
  /** @default {2,000} */
  readonly maxPeople?: number;
  /** Of text, after decompression. @default {64 MiB} */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
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

/** The page may have to draw: reading pauses after so many ms. */
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
  const { maxPeople = MAX_PEOPLE, maxBytes = MAX_BYTES, signal, onCount } = limits;
  const format = formatOf(file.name);
  const budget = new ByteBudget(maxBytes);
  const raw: ReadableStream<Uint8Array<ArrayBuffer>> = file.stream();
  const isPacked = file.name.toLowerCase().endsWith(".gz");
  const text = isPacked ? raw.pipeThrough(new DecompressionStream("gzip")) : raw;
  const careers: Career[] = [];
  let [numYears, slice] = [0, performance.now()];
  let cut: string | undefined;
  try {
    const stream = text.pipeThrough(budget.transform());
    for await (const career of readCareers(stream, { format, file: file.name })) {
      if (careers.length === maxPeople) {
        cut = `Only the first ${maxPeople.toLocaleString("en")} people are used: a tab trains on no more in reasonable time.`;
        break;
      }
      careers.push(career);
      numYears += career.observations.length;
      if (performance.now() - slice < SLICE_MS) continue;
      onCount?.(careers.length);
      await pause();
      signal?.throwIfAborted();
      slice = performance.now();
    }
  } catch (error) {
    if (!budget.isSpent || careers.length === 0) throw readable(error, file.name);
    cut = `Only the first ${careers.length.toLocaleString("en")} people are used: a tab reads no more than ${Math.round(maxBytes / 2 ** 20)} MiB of text.`;
  }
  return { file: file.name, careers, numYears, ...(cut !== undefined && { cut }) };
}

/** Ends a stream with an error once it is longer than it may be. */
class ByteBudget {
  isSpent = false;
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  transform(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
    return new TransformStream({
      transform: (chunk, controller) => {
        this.#left -= chunk.length;
        if (this.#left >= 0) return controller.enqueue(chunk);
        this.isSpent = true;
        controller.error(new RangeError("Cannot read on: the file must be shorter, got more"));
      },
    });
  }
}

/** A damaged archive is told as what it is; the browser's own words name no file. */
function readable(error: unknown, file: string): unknown {
  if (!(error instanceof TypeError)) return error;
  const problem = file.toLowerCase().endsWith(".gz")
    ? "it must be a whole gzip file"
    : "the browser must be able to read it";
  return new SyntaxError(`Cannot read ${file}: ${problem}, got ${error.message}`, { cause: error });
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
