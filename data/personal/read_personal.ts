import { type Archive, chunksOfStream, singleFile, streamOfChunks } from "../archive/archive.ts";
import { openInflated } from "../archive/gunzip.ts";
import { openZip } from "../archive/zip_archive.ts";
import { syntaxError } from "../lines.ts";
import type { CareerFormat } from "../read_careers.ts";
import { type CareersFile, openCareersFile } from "./careers_file.ts";
import { readJsonResume } from "./json_resume.ts";
import { linkedInTable, readLinkedInExport, readLinkedInTable } from "./linkedin.ts";
import type { PersonalHistory } from "./personal_history.ts";

/** A file that a person gives: a browser's `File`, or bytes elsewhere. */
export interface PersonalSource {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** From its beginning, each time. */
  stream(): ReadableStream<Uint8Array>;
}

/** Options of {@linkcode readPersonalFile}. */
export interface ReadPersonalOptions {
  /** Most bytes of the file. @default {67_108_864} */
  readonly maxBytes?: number;
  /** Most people of a table of careers that are listed. @default {1000} */
  readonly maxPeople?: number;
}

/** What a person's file holds: a history to choose occupations for, or careers as they are. */
export type PersonalFile =
  | {
      readonly kind: "history";
      readonly source: "JSON Resume" | "LinkedIn";
      readonly history: PersonalHistory;
    }
  | ({ readonly kind: "careers" } & CareersFile);

/** Bytes by which a file's kind is told. */
const HEAD_BYTES = 1 << 16;

/** Most bytes of a resume, which is text of a few kilobytes. */
const MAX_RESUME_BYTES = 1 << 23;

/** What gzip and zip may unfold to; a ratio beyond it is no table of ours. */
const LIMITS = { maxEntryBytes: 1 << 28, maxTotalBytes: 1 << 28, maxEntries: 10_000 };

/**
 * Reads a file that somebody has of their own career, whatever it is called: a JSON Resume, a
 * LinkedIn data export (the zip, or `Positions.csv` of it), careers as TSV, CSV or JSON lines, also
 * gzipped. What it is, its content tells. Nothing leaves the page: bytes are only read.
 *
 * @throws {RangeError} If the file is larger than may be, before it is read, or unfolds too far.
 * @throws {SyntaxError} If it is none of these, or damaged, with file and line.
 */
export async function readPersonalFile(
  file: PersonalSource,
  { maxBytes = 1 << 26, maxPeople = 1000 }: ReadPersonalOptions = {},
): Promise<PersonalFile> {
  const { name, size } = file;
  if (size > maxBytes) {
    throw new RangeError(
      `Cannot read ${name}: a file must have at most ${maxBytes} bytes, got ${size} ` +
        "(cut it to the rows you need)",
    );
  }
  const whole = (): ReadableStream<Uint8Array> => limited(file, maxBytes);
  const first = await headOf(whole());
  if (first[0] === 0x50 && first[1] === 0x4b) {
    const history = await readLinkedInExport(await openBytes(name, whole()));
    return { kind: "history", source: "LinkedIn", history };
  }
  const open = (): ReadableStream<Uint8Array> =>
    openInflated(singleFile(name, whole), name, { limits: LIMITS });
  const isPacked = first[0] === 0x1f && first[1] === 0x8b;
  const head = isPacked ? await headOf(open()) : first;
  return readText({ name, open, head: decode(head) }, maxPeople);
}

interface TextFile {
  readonly name: string;
  readonly open: () => ReadableStream<Uint8Array>;
  /** How it begins. */
  readonly head: string;
}

async function readText({ name, open, head }: TextFile, maxPeople: number): Promise<PersonalFile> {
  const format = careerFormat(head);
  if (format !== undefined) {
    const careers = await openCareersFile({ name, open, format }, maxPeople);
    return { kind: "careers", ...careers };
  }
  const table = linkedInTable(head);
  if (table !== undefined) {
    const history = await readLinkedInTable(open(), { file: name, table });
    return { kind: "history", source: "LinkedIn", history };
  }
  if (/^\s*[{[]/.test(head)) {
    const history = readJsonResume(await textOf(name, open()), name);
    return { kind: "history", source: "JSON Resume", history };
  }
  throw unknownKind(name, head);
}

/** How careers are written in a text, if they are. */
function careerFormat(head: string): CareerFormat | undefined {
  const line = /^\s*([^\r\n]*)/.exec(head)?.[1] ?? "";
  if (line.startsWith("{")) {
    return /"observations"\s*:/.test(line) && !/"(?:work|basics)"\s*:/.test(line)
      ? "jsonl"
      : undefined;
  }
  const isCareers = /\bocc1990dd\b/.test(line) && /\byears\b/.test(line);
  if (!isCareers) return undefined;
  return line.includes("\t") ? "tsv" : "csv";
}

function unknownKind(name: string, head: string): SyntaxError {
  const what =
    head.trim() === ""
      ? "an empty one"
      : head.startsWith("%PDF")
        ? "a PDF (of LinkedIn, ask for a copy of your data instead)"
        : "none of these";
  return syntaxError(
    name,
    1,
    "the file must be a JSON Resume, a LinkedIn data export (.zip, or Positions.csv of it), or careers " +
      `under a header id, gender, ethnicity, ..., years, education, occ1990dd, got ${what}`,
  );
}

/** A file in memory as an archive; zips are read from their end. */
async function openBytes(name: string, stream: ReadableStream<Uint8Array>): Promise<Archive> {
  const bytes = await bytesOf(stream);
  return openZip(
    {
      name,
      size: bytes.length,
      read: (begin, end) => Promise.resolve(bytes.subarray(begin, end)),
    },
    LIMITS,
  );
}

/** A file's stream, ended by an error if it is longer than the file said. */
function limited(file: PersonalSource, maxBytes: number): ReadableStream<Uint8Array> {
  return streamOfChunks(
    (async function* () {
      let length = 0;
      for await (const chunk of chunksOfStream(file.stream())) {
        length += chunk.length;
        if (length > maxBytes) {
          throw new RangeError(
            `Cannot read ${file.name}: a file must have at most ${maxBytes} bytes, got more`,
          );
        }
        yield chunk;
      }
    })(),
  );
}

async function headOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return bytesOf(stream, HEAD_BYTES);
}

/** The bytes of a stream, or its first. */
async function bytesOf(stream: ReadableStream<Uint8Array>, most = Infinity): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunksOfStream(stream)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= most) break;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes.subarray(0, Math.min(length, most));
}

/** Text by which a kind is told: bytes that are no UTF-8 are an error only where they are read. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8").decode(bytes.slice());
}

async function textOf(name: string, stream: ReadableStream<Uint8Array>): Promise<string> {
  const bytes = await bytesOf(stream, MAX_RESUME_BYTES + 1);
  if (bytes.length > MAX_RESUME_BYTES) {
    throw new RangeError(
      `Cannot read ${name}: a resume must have at most ${MAX_RESUME_BYTES} bytes, got more`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.slice());
  } catch {
    throw syntaxError(name, 1, "the text must be UTF-8, got other bytes (save it as UTF-8)");
  }
}
