import { FIXED_WORDING } from "../resume.ts";

/**
 * Pieces of a resume: a token never reaches from one into another.
 *
 * A whole title, with the space before it, is one piece, so that merges may cross the spaces
 * inside it and a common title becomes a single token; so are a year of four digits and an
 * education level with its punctuation, as in " (some college):", and the wording that all
 * resumes share. Pieces depend on their own
 * text alone (no look-around), so a title has the same tokens whatever stands around it.
 * What begins like a title, a space and a capital, is a piece up to the end of its line.
 * The alternatives cover every text.
 */
export const RESUME_PATTERN: string =
  // No character of the wording has a meaning in a regular expression.
  Object.values(FIXED_WORDING).join("|") +
  "|[0-9]{4}" +
  "|[0-9]" +
  "|\\n" +
  "| \\([a-z ]+\\):" +
  "| [A-Z][^\\n]*" +
  "| job_[0-9]{3}" +
  "| ?[^ \\n0-9]+" +
  "| ";

/**
 * Compiles a pattern as tokenizers do.
 *
 * @throws {SyntaxError} If it is not a regular expression.
 */
export function compilePattern(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "gu");
  } catch (error) {
    throw new SyntaxError(
      `Cannot compile a tokenizer's pattern: it must be a regular expression, got ${JSON.stringify(pattern)}`,
      { cause: error },
    );
  }
}

/** Cuts a text into the matches of a pattern and what lies between; nothing is lost. */
export function splitPieces(text: string, pattern: RegExp): string[] {
  const pieces: string[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) pieces.push(text.slice(end, match.index));
    if (match[0] !== "") pieces.push(match[0]);
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}
