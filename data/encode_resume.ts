import type { EncodedResume, TitleSpan } from "./batch.ts";
import type { Career } from "./career.ts";
import { occupationIndex, OCCUPATIONS } from "./occupations.ts";
import {
  END_MARK,
  promptParts,
  renderResume,
  resumeParts,
  resumeTitles,
  rowPrefix,
  type Question,
  type ResumeOptions,
  type ResumeParts,
} from "./resume.ts";
import { RESUME_PATTERN } from "./tokenizer/pieces.ts";
import { PAD_TOKEN, Tokenizer } from "./tokenizer/tokenizer.ts";
import { trainBpe } from "./tokenizer/train_bpe.ts";
import type { TokenizerJson } from "./tokenizer/tokenizer_json.ts";

/** Options for {@linkcode trainResumeTokenizer}. */
export interface TrainResumeTokenizerOptions extends ResumeOptions {
  /** Tokens wanted; at least 258. */
  readonly vocabSize: number;
}

/**
 * Trains a tokenizer on resumes, in which a common title is a single token.
 *
 * Train on the training people only. Each title of the vocabulary counts once more than the
 * resumes have it, so that words of unseen titles are known where titles share them.
 *
 * @returns The content of a `tokenizer.json`, for `Tokenizer.fromJson()`.
 * @throws {RangeError} If `vocabSize` is below 258, or a career is not fit for a resume.
 */
export function trainResumeTokenizer(
  careers: Iterable<Career>,
  options: TrainResumeTokenizerOptions,
): TokenizerJson {
  const { vocabSize } = options;
  const texts = (function* () {
    for (const career of careers) yield renderResume(career, options).text;
    for (const title of resumeTitles(options)) yield ` ${title}`;
  })();
  return trainBpe(texts, {
    vocabSize,
    pattern: RESUME_PATTERN,
    specialTokens: [PAD_TOKEN, END_MARK],
  });
}

/** Options for {@linkcode encodeResume}. */
export interface EncodeResumeOptions extends ResumeOptions {
  /**
   * Whether the resume follows other text of the same document: without the token that begins one.
   *
   * @default {false}
   */
  readonly continues?: boolean;
}

/**
 * A career's resume as tokens, with the place of each title.
 *
 * Header lines, row prefixes, titles and line feeds are encoded each on its own and joined, so
 * that a title's tokens are those of {@linkcode titleTokens} with any tokenizer: all but the first
 * as text that follows other text, without the space that SentencePiece puts before a text. With
 * a tokenizer from {@linkcode trainResumeTokenizer} they are the tokens of the text as a whole,
 * too. The token that begins a document comes first where the tokenizer puts it there, and the
 * one that ends a document stands for the end mark.
 *
 * @returns The tokens of `renderResume()`; `previous` is told even of a year that `lastRows`
 * leaves out.
 * @throws {RangeError} If the career or an option is not fit for a resume, or the tokenizer has
 * no token that ends a document, or more than one for a line feed.
 */
export function encodeResume(
  career: Career,
  tokenizer: Tokenizer,
  options: EncodeResumeOptions = {},
): EncodedResume {
  const parts = resumeParts(career, options);
  const { tokens, spans } = encodeParts(parts, tokenizer, options);
  const titles = parts.rows.map(({ observation }, i): TitleSpan => {
    const { start, end } = spans[i]!;
    const occupation = occupationIndex(career.observations[observation]!.occupation);
    const before = career.observations[observation - 1];
    return {
      start,
      end,
      occupation,
      ...(before === undefined ? {} : { previous: occupationIndex(before.occupation) }),
    };
  });
  tokens.push(tokenizer.endId);
  return { id: career.id, tokens: Uint32Array.from(tokens), titles };
}

/**
 * The tokens of `renderPrompt()`: a career up to the year in question, its title to follow.
 *
 * @throws {RangeError} As `renderPrompt()`.
 */
export function encodePrompt(
  career: Career,
  question: Question,
  { tokenizer, ...options }: ResumeOptions & { readonly tokenizer: Tokenizer },
): Uint32Array<ArrayBuffer> {
  const { tokens } = encodeParts(promptParts(career, question, options), tokenizer);
  append(tokens, tokenizer.encode(rowPrefix(question), NEXT));
  return Uint32Array.from(tokens);
}

/**
 * Tokens of each title, with the space before it, in the order of `OCCUPATIONS`.
 *
 * @returns 335 sequences, all different; one may be the beginning of another.
 * @throws {RangeError} If two titles have the same tokens, so that they could not be told apart.
 */
export function titleTokens(
  tokenizer: Tokenizer,
  options: ResumeOptions = {},
): readonly Uint32Array<ArrayBuffer>[] {
  const sequences = resumeTitles(options).map((title) => tokenizer.encode(` ${title}`, NEXT));
  const codeOf = new Map<string, string>();
  for (const [i, sequence] of sequences.entries()) {
    const code = OCCUPATIONS[i]?.code ?? "";
    const twin = codeOf.get(sequence.join(" "));
    if (twin !== undefined) {
      throw new RangeError(
        `Cannot tell occupations apart: each title must have tokens of its own, ` +
          `got the same for ${twin} and ${code} (does the tokenizer drop characters?)`,
      );
    }
    codeOf.set(sequence.join(" "), code);
  }
  return sequences;
}

/**
 * Checks that a tokenizer writes a resume without loss: its tokens read back as the text.
 *
 * @throws {RangeError} If not, showing where the texts part; or as {@linkcode encodeResume}.
 */
export function checkResumeTokens(
  career: Career,
  tokenizer: Tokenizer,
  options: ResumeOptions = {},
): void {
  const { text } = renderResume(career, options);
  const { tokens } = encodeResume(career, tokenizer, options);
  const inner = tokens.subarray(tokens[0] === tokenizer.beginId ? 1 : 0, -1);
  // Some decoders leave the space that their encoder puts before a text.
  const got = tokenizer.decode(inner).replace(/^ /, "") + END_MARK;
  if (got === text) return;
  const at = Array.from(text).findIndex((character, i) => got[i] !== character);
  const shown = (from: string) => JSON.stringify(from.slice(at, at + SHOWN_LENGTH));
  throw new RangeError(
    `Cannot write resumes with this tokenizer: its tokens must read back as the text, ${shown(text)}, got ${shown(got)} (does it drop or change characters?)`,
  );
}

/** Characters that an error shows. */
const SHOWN_LENGTH = 24;

/** Of all pieces of a resume but the first. */
const NEXT = { continues: true } as const;

interface EncodedParts {
  readonly tokens: number[];
  /** Where the title of each row stands. */
  readonly spans: readonly { readonly start: number; readonly end: number }[];
}

function encodeParts(
  { header, rows }: ResumeParts,
  tokenizer: Tokenizer,
  { continues = false }: EncodeResumeOptions = {},
): EncodedParts {
  const tokens: number[] = [];
  const lineFeed = lineFeedOf(tokenizer);
  for (const [index, line] of header.entries()) {
    // A line feed is a token of its own, by which windows find the end of the header.
    const text = line.slice(0, -1);
    const isFirst = index === 0 && !continues;
    append(tokens, isFirst ? encodeFirst(text, tokenizer) : tokenizer.encode(text, NEXT));
    tokens.push(lineFeed);
  }
  const spans = rows.map(({ prefix, title }) => {
    append(tokens, tokenizer.encode(prefix, NEXT));
    const start = tokens.length;
    append(tokens, tokenizer.encode(title, NEXT));
    const end = tokens.length;
    tokens.push(lineFeed);
    return { start, end };
  });
  return { tokens, spans };
}

/** The beginning of a document; what a tokenizer puts at its end comes with the end. */
function encodeFirst(text: string, tokenizer: Tokenizer): number[] {
  const tokens = Array.from(tokenizer.encode(text));
  const { beginId } = tokenizer;
  if (beginId === undefined) return tokens;
  const [first] = tokenizer.encode(text, { addSpecialTokens: true });
  return first === beginId ? [beginId, ...tokens] : tokens;
}

function lineFeedOf(tokenizer: Tokenizer): number {
  const [token, ...others] = tokenizer.encode("\n", NEXT);
  if (token !== undefined && others.length === 0) return token;
  const got = token === undefined ? "none" : `${1 + others.length}`;
  throw new RangeError(
    `Cannot write resumes with this tokenizer: a line feed must be one token, got ${got}`,
  );
}

function append(tokens: number[], more: Iterable<number>): void {
  for (const token of more) tokens.push(token);
}
