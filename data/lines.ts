/** A line of a text file, without its line feed. */
export interface Line {
  /** Line number, from 1. */
  readonly line: number;
  readonly text: string;
}

/** How to read lines. */
export interface LineOptions {
  /** Name of the file, for errors. */
  readonly file: string;
  /**
   * Longest line, in UTF-16 units, so that a file without line feeds cannot fill the memory.
   *
   * @default {1_048_576}
   */
  readonly maxLineLength?: number;
}

/** A `SyntaxError` that names the place: `Cannot read careers.csv, line 7: <problem>`. */
export function syntaxError(file: string, line: number, problem: string): SyntaxError {
  return new SyntaxError(`Cannot read ${file}, line ${line}: ${problem}`);
}

/**
 * Yields the lines of a UTF-8 stream as they arrive.
 *
 * A byte order mark is dropped; a carriage return before a line feed stays, for the caller
 * to drop where it may (it may be part of a quoted field). A last line without a line feed
 * counts; nothing after the last line feed does not. Memory: one chunk and one line.
 *
 * @throws {SyntaxError} If the bytes are not UTF-8, or a line is too long or contains NUL.
 */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  options: LineOptions,
): AsyncGenerator<Line, void, undefined> {
  const { file, maxLineLength = 2 ** 20 } = options;
  let line = 1;
  // Pieces of the unfinished line, joined only when it ends: appending chunk by chunk to one
  // string and searching it again would be quadratic.
  let pieces: string[] = [];
  let length = 0;

  const finish = (): Line => {
    const text = pieces.join("");
    const nul = text.indexOf("\0");
    if (nul >= 0) {
      throw syntaxError(
        file,
        line,
        `the text must not contain NUL (is this a binary file?), got one at column ${nul + 1}`,
      );
    }
    pieces = [];
    length = 0;
    return { line: line++, text };
  };
  const append = (piece: string): void => {
    length += piece.length;
    if (length > maxLineLength) {
      throw syntaxError(
        file,
        line,
        `a line must be at most ${maxLineLength} characters long, got more ` +
          `(check the quotes and line ends of the file)`,
      );
    }
    pieces.push(piece);
  };

  for await (const text of decode(stream, file, () => line)) {
    let from = 0;
    for (let to = text.indexOf("\n"); to >= 0; to = text.indexOf("\n", from)) {
      append(text.slice(from, to));
      yield finish();
      from = to + 1;
    }
    if (from < text.length) append(text.slice(from));
  }
  if (length > 0) yield finish();
}

async function* decode(
  stream: ReadableStream<Uint8Array>,
  file: string,
  line: () => number,
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decodeChunk = (chunk?: Uint8Array): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw syntaxError(
        file,
        line(),
        "the bytes at or soon after this line must be UTF-8, got others " +
          "(decompress a .gz file first; convert Latin-1 with `iconv -f latin1 -t utf-8`)",
      );
    }
  };
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      yield decodeChunk(read.value);
    }
    yield decodeChunk();
  } finally {
    // Also when the consumer stops early, so that the source is closed.
    await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}
