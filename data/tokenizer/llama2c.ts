import { checkVocabulary, MAX_TOKENS, vocabularyError } from "./vocabulary_check.ts";
import type { GgufVocabulary, TokenType } from "./vocabulary_data.ts";

/** Ids that the format fixes; bytes have those from 3 on. */
const UNKNOWN_ID = 0;
const BEGIN_ID = 1;
const END_ID = 2;
const FIRST_BYTE_ID = 3;

/** What {@linkcode readLlama2cVocabulary} may be told. */
export interface Llama2cVocabularyOptions {
  /** Name of the file, for errors. */
  readonly file?: string;
  /** Number of tokens, which the file does not say; all that it holds if absent. */
  readonly vocabSize?: number;
}

/**
 * Reads the `tokenizer.bin` of llama2.c: the longest token's length as i32, then of each token its
 * score as f32, its length in bytes as i32 and its text, all little-endian.
 *
 * @param bytes The whole file.
 * @throws {SyntaxError} If a token ends beyond the file or is longer than said, there are fewer or
 * more than `vocabSize`, two are equal, or the bytes' tokens are not at 3 to 258.
 * @see {@link https://github.com/karpathy/llama2.c/blob/master/tokenizer.py | llama2.c}
 */
export function readLlama2cVocabulary(
  bytes: Uint8Array,
  options: Llama2cVocabularyOptions = {},
): GgufVocabulary {
  const { file = "tokenizer.bin", vocabSize } = options;
  const entries = readEntries(bytes, file);
  if (vocabSize !== undefined && entries.length !== vocabSize) {
    throw vocabularyError(file, `there must be ${vocabSize} tokens`, String(entries.length));
  }
  const tokens = entries.map(({ text }, id) => tokenText(text, id));
  for (let byte = 0; byte < 256; byte++) {
    const id = FIRST_BYTE_ID + byte;
    const text = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    if (tokens[id] !== text) {
      const got = tokens[id] === undefined ? "none" : JSON.stringify(tokens[id]);
      throw vocabularyError(file, `token ${id} must be ${text}`, got);
    }
  }
  const vocabulary: GgufVocabulary = {
    model: "llama",
    tokens,
    scores: Float32Array.from(entries, ({ score }) => score),
    tokenTypes: tokens.map((_, id) => tokenType(id)),
    bosId: BEGIN_ID,
    eosId: END_ID,
    unkId: UNKNOWN_ID,
    addBos: true,
    addEos: false,
    addSpacePrefix: true,
  };
  checkVocabulary(vocabulary, file);
  return vocabulary;
}

function readEntries(bytes: Uint8Array, file: string): { score: number; text: string }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const entries: { score: number; text: string }[] = [];
  const truncated = () =>
    vocabularyError(file, "each token must end within the file", `its end in ${entries.length}`);
  if (bytes.length < 4) throw truncated();
  const maxLength = view.getInt32(0, true);
  for (let at = 4; at < bytes.length;) {
    if (at + 8 > bytes.length) throw truncated();
    const score = view.getFloat32(at, true);
    const length = view.getInt32(at + 4, true);
    if (length < 1 || length > maxLength) {
      const rule = `token ${entries.length} must have 1 to ${maxLength} bytes`;
      throw vocabularyError(file, rule, String(length));
    }
    at += 8;
    if (at + length > bytes.length) throw truncated();
    if (entries.length === MAX_TOKENS) {
      throw vocabularyError(file, `there must be at most ${MAX_TOKENS} tokens`, "more");
    }
    try {
      entries.push({ score, text: decoder.decode(bytes.subarray(at, at + length)) });
    } catch {
      throw vocabularyError(file, `token ${entries.length} must be UTF-8`, "other bytes");
    }
    at += length;
  }
  return entries;
}

/** The format writes spaces for "▁", and gives the two marks as they are to be printed. */
function tokenText(text: string, id: number): string {
  if (id === BEGIN_ID || id === END_ID) return text.trim();
  return text.replaceAll(" ", "▁");
}

function tokenType(id: number): TokenType {
  if (id === UNKNOWN_ID) return 2;
  if (id === BEGIN_ID || id === END_ID) return 3;
  return id < FIRST_BYTE_ID + 256 ? 6 : 1;
}
