import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { Bpe } from "./bpe.ts";
import { checkSteps } from "./step_check.ts";
import { type CheckedTokenizer, jsonRecord, tokenizerError } from "./tokenizer_check.ts";
import { Unigram } from "./unigram.ts";

/** GPT-2's words with the spaces of Unicode, which are not those of JavaScript's `\s`. */
const GPT2_WORDS =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const DIGITS = /\P{N}+|\p{N}+/gu;
const ONE_DIGIT = /\P{N}+|\p{N}/gu;
const ONE_PUNCTUATION_MARK = /[^\p{P}$+<=>^`|~]+|[\p{P}$+<=>^`|~]/gu;

/** Tried on load, so that what a file lacks shows there and not later. */
const SAMPLE = "A b, 1";

/** What the library makes of a pre-tokenizer, as far as it is changed here. */
interface LibraryStep {
  readonly tokenizers?: readonly (LibraryStep | null)[];
  readonly config?: { readonly type: string; readonly [key: string]: unknown };
  pattern?: RegExp;
}

/** Text to ids. */
export type EncodeText = (text: string, addSpecialTokens: boolean) => number[];

/**
 * Loads normalizers, pre-tokenizers and post-processors of a `tokenizer.json` through
 * `@huggingface/tokenizers`; BPE and unigram models are our own, which take linear memory and
 * follow the reference library where that one does not (see `bpe.ts`, `unigram.ts`).
 *
 * @throws {SyntaxError} If a step is unknown or malformed.
 */
export function loadEncoder(json: object, checked: CheckedTokenizer): EncodeText {
  const root = jsonRecord(json, "the content");
  checkSteps(root);
  const model = libraryModel(checked);
  try {
    const tokenizer = new HuggingFaceTokenizer(
      {
        normalizer: root["normalizer"] ?? null,
        pre_tokenizer: root["pre_tokenizer"] ?? null,
        post_processor: root["post_processor"] ?? null,
        decoder: null,
        added_tokens: root["added_tokens"] ?? [],
        model,
      },
      {},
    );
    repairPatterns(tokenizer.pre_tokenizer as LibraryStep | null);
    replaceModel(tokenizer, checked);
    const encode: EncodeText = (text, addSpecialTokens) =>
      idsOf(tokenizer.encode(text, { add_special_tokens: addSpecialTokens }));
    encode(SAMPLE, true);
    return encode;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = tokenizerError("it must be the content of a tokenizer.json", reason);
    error.cause = cause;
    throw error;
  }
}

function idsOf({ ids }: { readonly ids: number[] }): number[] {
  const stranger = ids.findIndex((id) => typeof id !== "number");
  if (stranger >= 0) {
    throw new RangeError(
      "Cannot encode text: each of its tokens must be in the vocabulary, which has no unknown " +
        `token, got another as number ${stranger}`,
    );
  }
  return ids;
}

/** The vocabulary alone: the library builds nothing from merges or scores. */
function libraryModel({ type, model, tokens }: CheckedTokenizer): object {
  if (type === "WordPiece") {
    const { unk_token: unknown, continuing_subword_prefix: prefix = "##" } = model;
    if (typeof unknown !== "string" || !tokens.includes(unknown)) {
      throw tokenizerError("WordPiece must have an unk_token in its vocabulary", unknown);
    }
    if (typeof prefix !== "string") {
      throw tokenizerError("continuing_subword_prefix must be text", prefix);
    }
    return { ...model, type, continuing_subword_prefix: prefix };
  }
  const vocab =
    type === "BPE"
      ? model["vocab"]
      : Object.fromEntries(
          tokens.flatMap((token, id) => (token === undefined ? [] : [[token, id]])),
        );
  return {
    type: "BPE",
    vocab,
    merges: [],
    unk_token: unknownToken({ type, model, tokens }),
    fuse_unk: type === "Unigram" || model["fuse_unk"] === true,
  };
}

function unknownToken({
  type,
  model,
  tokens,
}: Pick<CheckedTokenizer, "type" | "model" | "tokens">): string | undefined {
  const { unk_token: name, unk_id: id } = model;
  if (type === "Unigram") return typeof id === "number" ? tokens[id] : undefined;
  return typeof name === "string" && tokens.includes(name) ? name : undefined;
}

function replaceModel(tokenizer: HuggingFaceTokenizer, checked: CheckedTokenizer): void {
  const { type, model, tokens, merges } = checked;
  if (type === "WordPiece" || tokenizer.model === null) return;
  const unknown = unknownText(checked);
  if (type === "BPE") {
    const suffix = model["end_of_word_suffix"];
    const bpe = new Bpe(tokens, merges, {
      endOfWordSuffix: typeof suffix === "string" ? suffix : "",
      ignoreMerges: model["ignore_merges"] === true,
      unknown,
    });
    tokenizer.model.encode = (words: readonly string[]) =>
      concat(words, (word) => bpe.encode(word));
    return;
  }
  // Checked before: a list of [token, score].
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const vocab = model["vocab"] as [string, number][];
  const unknownId = typeof model["unk_id"] === "number" ? model["unk_id"] : -1;
  const hasBytes = model["byte_fallback"] === true;
  const unigram = new Unigram({ vocab, unknownId, hasBytes, unknown });
  tokenizer.model.encode = (words: readonly string[]) =>
    concat(words, (word) => unigram.encode(word));
}

/** `flatMap`, without the limit that arguments of a call have. */
function concat(words: readonly string[], encode: (word: string) => readonly string[]): string[] {
  const tokens: string[] = [];
  for (const word of words) for (const token of encode(word)) tokens.push(token);
  return tokens;
}

/** Bytes where the vocabulary has them all, or else the unknown token, or else nothing. */
function unknownText(checked: CheckedTokenizer): (text: string) => readonly string[] {
  const { tokens, model } = checked;
  const ids = new Set(tokens);
  const unknown = unknownToken(checked);
  const encoder = new TextEncoder();
  return (text) => {
    if (model["byte_fallback"] === true) {
      const bytes = Array.from(encoder.encode(text), byteToken);
      if (bytes.every((token) => ids.has(token))) return bytes;
    }
    return unknown === undefined ? [] : [unknown];
  };
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** The library's patterns know ASCII digits and JavaScript's spaces; these know Unicode's. */
function repairPatterns(step: LibraryStep | null): void {
  for (const inner of step?.tokenizers ?? []) repairPatterns(inner);
  const { type, individual_digits: single, behavior } = step?.config ?? { type: "" };
  if (step === null || typeof type !== "string") return;
  if (type === "ByteLevel") step.pattern = GPT2_WORDS;
  else if (type === "Digits") step.pattern = single === true ? ONE_DIGIT : DIGITS;
  else if (type === "Punctuation" && isIsolated(behavior)) step.pattern = ONE_PUNCTUATION_MARK;
}

/** A configuration that says nothing isolates. */
function isIsolated(behavior: unknown): boolean {
  return typeof behavior !== "string" || behavior.toLowerCase() === "isolated";
}
