import type { Career } from "./career.ts";
import { encodeResume } from "./encode_resume.ts";
import { END_MARK, renderResume, type ResumeOptions, resumeTitles } from "./resume.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/** What stands before a resume to help a model that has not learned from any. */
export interface PromptContext extends ResumeOptions {
  /** Whether all titles are listed first. @default {false} */
  readonly listTitles?: boolean;
  /** People whose resumes follow, as examples; `lastRows` cuts theirs, too. @default {none} */
  readonly examples?: readonly Career[];
}

/** The line above the titles. */
const TITLES_HEADING = "Every job title is one of the following:";

/** Of all that follows the first words of a document. */
const NEXT = { continues: true } as const;

/**
 * Text to put before a resume: all titles, one a line, and example resumes with their end marks.
 *
 * @returns Lines that each end in a line feed; empty if there is nothing to tell.
 * @throws {RangeError} If an example is not fit for a resume.
 *
 * @see {@link https://arxiv.org/abs/2406.17972 | Athey et al., 2024}, on learning in context
 */
export function renderPromptContext(context: PromptContext): string {
  const { listTitles = false, examples = [], ...options } = context;
  const titles = listTitles ? titleLines(options) : [];
  const resumes = examples.map((career) => renderResume(career, options).text);
  return [...titles, ...resumes].map((text) => `${text}\n`).join("");
}

/**
 * The tokens of {@linkcode renderPromptContext}, begun as the tokenizer begins a document; a
 * resume behind it is encoded with `continues: true`. An example has the very tokens that a resume
 * in question has, but for its end mark, which is told as text: a token that ends a document would
 * tell the model to forget what stands before.
 *
 * @returns No token at all if there is nothing to tell.
 * @throws {RangeError} As {@linkcode encodeResume}.
 */
export function encodePromptContext(
  context: PromptContext,
  tokenizer: Tokenizer,
): Uint32Array<ArrayBuffer> {
  const { listTitles = false, examples = [], ...options } = context;
  const tokens: number[] = [];
  const append = (more: Iterable<number>): void => {
    for (const token of more) tokens.push(token);
  };
  const next = (text: string): void => append(tokenizer.encode(text, NEXT));
  for (const line of listTitles ? titleLines(options) : []) {
    if (tokens.length === 0) append(beginning(line, tokenizer));
    else next(line);
    next("\n");
  }
  for (const career of examples) {
    const continues = tokens.length > 0;
    append(encodeResume(career, tokenizer, { ...options, continues }).tokens.subarray(0, -1));
    next(END_MARK);
    next("\n");
  }
  return Uint32Array.from(tokens);
}

function titleLines(options: ResumeOptions): string[] {
  return [TITLES_HEADING, ...resumeTitles(options)];
}

/** The first words of a document, after the token that begins one where the tokenizer puts it. */
function beginning(text: string, tokenizer: Tokenizer): number[] {
  const [first] = tokenizer.encode(text, { addSpecialTokens: true });
  const words = Array.from(tokenizer.encode(text));
  const { beginId } = tokenizer;
  return beginId !== undefined && first === beginId ? [beginId, ...words] : words;
}
