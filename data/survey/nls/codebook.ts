import { chunksOfStream, streamOfChunks } from "../../archive/archive.ts";

/** What a codebook says of a variable. */
export interface CodebookEntry {
  /** Reference number as files of data write it: `"R0214700"`. */
  readonly reference: string;
  /** Year of the survey; absent where it is of none (`XRND`, `78SCRN`). */
  readonly year?: number;
  /** Name of the question, which years share: `"HGC"`. */
  readonly question: string;
  readonly description: string;
  /** What values mean, where the file says. */
  readonly labels?: ReadonlyMap<string, string>;
}

const REFERENCE = /^([A-Za-z])(\d{5})\.?(\d{2})$/;

/**
 * A name of a column as one: reference numbers are written `R0214700`, `R02147.00` or in lower
 * case, and nothing else is changed.
 */
export function columnName(text: string): string {
  const match = REFERENCE.exec(text.trim());
  return match === null ? text.trim() : `${match[1]!.toUpperCase()}${match[2]}${match[3]}`;
}

/** A year of four digits, as the codebooks write it. */
export function surveyYear(text: string): { readonly year?: number } {
  return /^(19|20)\d\d$/.test(text) ? { year: Number(text) } : {};
}

/** Codebooks come in whatever bytes a program of the eighties left; what is not ASCII is `?`. */
export function asciiOf(stream: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  return streamOfChunks(
    (async function* () {
      for await (const chunk of chunksOfStream(stream)) {
        yield chunk.map((byte) => (byte > 0x7f || byte === 0 ? 0x3f : byte));
      }
    })(),
  );
}
