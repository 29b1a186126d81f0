import { type Archive, chunksOfStream, streamOfChunks } from "./archive.ts";
import { InflationBudget, type InflationLimits } from "./inflation.ts";
import { placeOf } from "./zip_directory.ts";

/** How to open files that may be gzipped. */
export interface OpenInflatedOptions {
  /** What all files together may unfold to; one for each call where there is none. */
  readonly budget?: InflationBudget;
  readonly limits?: Partial<InflationLimits>;
}

/**
 * Opens a file of an archive; gzip, known by its first bytes, is decompressed within a budget.
 *
 * @throws {SyntaxError} The stream fails so if the gzip data are cut off or damaged.
 * @throws {RangeError} The stream fails so if they unfold beyond the limits.
 */
export function openInflated(
  archive: Archive,
  name: string,
  { limits = {}, budget = new InflationBudget(limits) }: OpenInflatedOptions = {},
): ReadableStream<Uint8Array> {
  const place = placeOf(archive.name, archive.name === name ? undefined : name);
  return streamOfChunks(inflated(() => archive.open(name), place, budget));
}

async function* inflated(
  open: () => ReadableStream<Uint8Array>,
  place: string,
  budget: InflationBudget,
): AsyncGenerator<Uint8Array, void, undefined> {
  const raw = chunksOfStream(open());
  try {
    const first = await beginning(raw);
    if (first[0] !== 0x1f || first[1] !== 0x8b) {
      if (first.length > 0) yield first;
      yield* raw;
      return;
    }
    let bytesIn = 0;
    const counted = streamOfChunks(countingIn(first, raw, (bytes) => (bytesIn += bytes)));
    const meter = budget.meter(place);
    for await (const chunk of withGzipErrors(inflatedChunks(counted), place)) {
      meter(chunk.length, bytesIn);
      yield chunk;
    }
  } finally {
    await raw.return();
  }
}

/**
 * Decompresses gzip, whatever it unfolds to; {@linkcode openInflated} has limits.
 *
 * It may be canceled at any moment. A bare `DecompressionStream` may not: in Node it can throw
 * afterwards where nobody can catch it, and end the process (nodejs/node#64529).
 *
 * @throws The stream fails with the runtime's own words if the data are cut off or damaged.
 */
export function gunzipped(packed: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  return streamOfChunks(inflatedChunks(packed));
}

async function* inflatedChunks(
  packed: ReadableStream<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { readable, writable } = gunzip();
  const stop = new AbortController();
  packed
    .pipeTo(writable, { signal: stop.signal })
    .catch((error: unknown) => writable.abort(error)) // so that reading fails, too, if nothing began
    .catch(() => undefined);
  const reader = readable.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    // Ended from where the bytes come in; canceled where they come out, Node may throw.
    stop.abort();
    await untilEnd(reader);
  }
}

/** Node's and the web's types of these streams differ in what their bytes lie in. */
function gunzip(): ReadableWritablePair<Uint8Array, Uint8Array> {
  return new DecompressionStream("gzip") as unknown as ReadableWritablePair<Uint8Array, Uint8Array>;
}

/** Takes what is still on its way, at most what one chunk unfolds to. */
async function untilEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // It has ended; why, was told before.
  }
}

/** The first bytes, at least two if there are as many. */
async function beginning(raw: AsyncGenerator<Uint8Array, void, undefined>): Promise<Uint8Array> {
  let first = new Uint8Array();
  while (first.length < 2) {
    const { done, value } = await raw.next();
    if (done === true) break;
    const joined = new Uint8Array(first.length + value.length);
    joined.set(first);
    joined.set(value, first.length);
    first = joined;
  }
  return first;
}

async function* countingIn(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, void, undefined>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  count(first.length);
  yield first;
  for await (const chunk of rest) {
    count(chunk.length);
    yield chunk;
  }
}

/** Errors of the decompressor itself, which tell neither file nor remedy. */
async function* withGzipErrors(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
  place: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    if ((error as Error).message.startsWith("Cannot ")) throw error;
    throw new SyntaxError(
      `Cannot read ${place}: its gzip data must be whole, got ${(error as Error).message} ` +
        "(download it again)",
      { cause: error },
    );
  }
}
