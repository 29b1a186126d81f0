import type { EncodedResume } from "./batch.ts";

/**
 * A stretch of a resume that fits a row: the header, then whole years.
 *
 * A resume that fits is one stretch. A longer one becomes several, each with the header (who
 * the person is) and as many of the years before as fit, so that every title is predicted
 * once, from its history as far as the row reaches.
 */
export interface ResumeWindow {
  readonly resume: EncodedResume;
  /** Number of tokens of the header, which come first. */
  readonly headerLength: number;
  /** The tokens `resume.tokens[bodyStart, bodyEnd)` follow the header. */
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** Tokens of the resume from here on are learned here; those before, in an earlier window. */
  readonly learnFrom: number;
}

/** Number of tokens of a window. */
export function windowLength({ headerLength, bodyStart, bodyEnd }: ResumeWindow): number {
  return headerLength + bodyEnd - bodyStart;
}

/**
 * Cuts a resume into windows of at most `maxLength` tokens.
 *
 * The room behind the header is filled with whole years. Each further window repeats the
 * latest half of that room, or as much as fits, as history that is read but not learned.
 *
 * @throws {RangeError} If the header and one year do not fit.
 */
export function resumeWindows(resume: EncodedResume, maxLength: number): ResumeWindow[] {
  const { tokens } = resume;
  if (tokens.length <= maxLength) {
    return [{ resume, headerLength: 0, bodyStart: 0, bodyEnd: tokens.length, learnFrom: 0 }];
  }
  const headerLength = lengthOfHeader(resume);
  const rows = rowsOf(resume, headerLength);
  const room = maxLength - headerLength;
  const windows: ResumeWindow[] = [];
  if (rows.length === 0) throw doesNotFit(resume, tokens.length, maxLength);
  for (let next = 0; next < rows.length;) {
    const learnFrom = rows[next]!.start;
    // Years repeated as history fill at most half of the room, and never keep the next year out.
    let first = next;
    while (
      first > 0 &&
      rows[next]!.end - rows[first - 1]!.start <= room &&
      learnFrom - rows[first - 1]!.start <= room / 2
    ) {
      first--;
    }
    const bodyStart = rows[first]!.start;
    while (next < rows.length && rows[next]!.end - bodyStart <= room) next++;
    const bodyEnd = next === 0 ? 0 : rows[next - 1]!.end;
    if (bodyEnd <= learnFrom) {
      const { start, end } = rows[next]!;
      throw doesNotFit(resume, headerLength + end - start, maxLength);
    }
    windows.push({
      resume,
      headerLength,
      bodyStart,
      bodyEnd,
      learnFrom: windows.length === 0 ? 0 : learnFrom,
    });
  }
  return windows;
}

interface Row {
  readonly start: number;
  readonly end: number;
}

/** Years by their tokens, each from behind the line feed of the one before; the last has the end mark. */
function rowsOf({ tokens, titles }: EncodedResume, headerLength: number): Row[] {
  return titles.map(({ end }, i) => ({
    start: i === 0 ? headerLength : Math.min(titles[i - 1]!.end + 1, tokens.length),
    end: i === titles.length - 1 ? tokens.length : end + 1,
  }));
}

/** The header ends with the last line feed before the first title; a title ends with a line feed. */
function lengthOfHeader({ tokens, titles }: EncodedResume): number {
  const [first] = titles;
  if (first === undefined) return 0;
  const lineFeed = tokens[first.end];
  return lineFeed === undefined ? 0 : tokens.lastIndexOf(lineFeed, first.start - 1) + 1;
}

function doesNotFit({ id }: EncodedResume, length: number, maxLength: number): RangeError {
  return new RangeError(
    `Cannot pack the resume of career ${JSON.stringify(id)}: a row must hold its header and one ` +
      `year, ${length} tokens, got a seqLen of ${maxLength} (raise seqLen, or the tokenizer's vocabSize)`,
  );
}
