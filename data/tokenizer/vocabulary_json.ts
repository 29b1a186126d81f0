import { preTokenization } from "./pre_tokenizers.ts";
import { brief, checkVocabulary } from "./vocabulary_check.ts";
import type { GgufVocabulary, TokenType } from "./vocabulary_data.ts";

/** A value of JSON. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** An object of JSON. */
export type JsonRecord = { readonly [key: string]: Json };

/** Stands for a space in SentencePiece. */
const SPACE = "▁";

/** Longest token that merges may yield, in UTF-16 units: all its cuts are tried. */
const MAX_MERGED_LENGTH = 256;

/**
 * Writes a vocabulary as the content of a `tokenizer.json`, which Hugging Face's libraries load.
 *
 * SentencePiece's BPE merges the pair whose union has the highest score. Here each token becomes
 * as many merges as it has cuts into two tokens, in the order of scores. The two differ only where
 * equal scores meet, or two cuts of one token overlap in a text.
 *
 * @throws {SyntaxError} If the vocabulary is not consistent, its model or pre-tokenizer unknown.
 */
export function tokenizerJsonOfVocabulary(vocabulary: GgufVocabulary): JsonRecord {
  checkVocabulary(vocabulary, "vocabulary");
  const { model } = vocabulary;
  if (model === "llama") return sentencePieceBpe(vocabulary);
  if (model === "t5") return unigram(vocabulary);
  if (model === "gpt2") return byteLevelBpe(vocabulary);
  const rule =
    "its model must be llama (SentencePiece's BPE), t5 (unigram) or gpt2 (byte-level BPE)";
  const remedy = "use the tokenizer.json of the model";
  throw new SyntaxError(`Cannot convert a vocabulary: ${rule}, got ${brief(model)} (${remedy})`);
}

function sentencePieceBpe(vocabulary: GgufVocabulary): JsonRecord {
  const { tokens, unkId, addBos = true } = vocabulary;
  return {
    ...frame({ ...vocabulary, addBos }),
    ...sentencePieceText(vocabulary),
    model: {
      type: "BPE",
      dropout: null,
      unk_token: unkId === undefined ? null : tokens[unkId]!,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: hasBytes(vocabulary),
      ignore_merges: false,
      vocab: idsOf(tokens),
      merges: mergesByScore(vocabulary),
    },
  };
}

function unigram(vocabulary: GgufVocabulary): JsonRecord {
  const { tokens, scores, unkId, addEos = true } = vocabulary;
  if (unkId === undefined) {
    throw new SyntaxError(
      "Cannot convert a vocabulary: a unigram model must have an unknown token, got none",
    );
  }
  return {
    ...frame({ ...vocabulary, addEos }),
    ...sentencePieceText(vocabulary),
    model: {
      type: "Unigram",
      unk_id: unkId,
      vocab: tokens.map((token, id) => [token, scores?.[id] ?? 0]),
      byte_fallback: hasBytes(vocabulary),
    },
  };
}

function byteLevelBpe(vocabulary: GgufVocabulary): JsonRecord {
  const { tokens, merges, pre } = vocabulary;
  const { normalizer, patterns, ignoreMerges } = preTokenization(pre);
  // Llama 3's texts begin with a token though its files do not say so.
  const { addBos = pre === "llama-bpe" || pre === "llama3" || pre === "llama-v3" } = vocabulary;
  const byteLevel = { add_prefix_space: false, trim_offsets: true, use_regex: false };
  return {
    ...frame({ ...vocabulary, addBos }),
    normalizer,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        ...patterns.map((pattern) => ({
          type: "Split",
          pattern: { Regex: pattern },
          behavior: "Isolated",
          invert: false,
        })),
        { type: "ByteLevel", ...byteLevel },
      ],
    },
    decoder: { type: "ByteLevel", ...byteLevel },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab: idsOf(tokens),
      merges: [...(merges ?? [])],
    },
  };
}

/** What all kinds have alike: special tokens, and those put before and after a text. */
function frame(vocabulary: GgufVocabulary): JsonRecord {
  const { tokens, bosId, eosId, addBos, addEos } = vocabulary;
  const before = addBos === true && bosId !== undefined ? [tokens[bosId]!] : [];
  const after = addEos === true && eosId !== undefined ? [tokens[eosId]!] : [];
  const marks = new Set([...before, ...after]);
  const special = (list: readonly string[], type_id: number) =>
    list.map((id) => ({ SpecialToken: { id, type_id } }));
  const template = (id: string, type_id: number) => [
    ...special(before, type_id),
    { Sequence: { id, type_id } },
    ...special(after, type_id),
  ];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) => addedToken(vocabulary, { content, id })),
    post_processor:
      marks.size === 0
        ? null
        : {
            type: "TemplateProcessing",
            single: template("A", 0),
            pair: [...template("A", 0), ...template("B", 1)],
            special_tokens: Object.fromEntries(
              Array.from(marks, (id) => [id, { id, ids: [tokens.indexOf(id)], tokens: [id] }]),
            ),
          },
  };
}

function addedToken(
  vocabulary: GgufVocabulary,
  { content, id }: { readonly content: string; readonly id: number },
): JsonRecord[] {
  const { unkId, bosId, eosId, padId, model } = vocabulary;
  const type = typeOf(vocabulary, id);
  const special = type === 2 || type === 3 || [unkId, bosId, eosId, padId].includes(id);
  // A user-defined run of "▁" is met only after spaces have become that, where merges find it.
  if (!special && (type !== 4 || (model !== "gpt2" && content.includes(SPACE)))) return [];
  return [
    { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special },
  ];
}

/** How SentencePiece treats text before the model, and after. */
function sentencePieceText(vocabulary: GgufVocabulary): JsonRecord {
  const { addSpacePrefix = true, removeExtraSpaces = false, charsMap } = vocabulary;
  const replace = (pattern: Json, content: string) => ({ type: "Replace", pattern, content });
  const spaces = replace({ String: " " }, SPACE);
  const prepend = { type: "Prepend", prepend: SPACE };
  const trim = [
    { type: "Strip", strip_left: true, strip_right: true },
    replace({ Regex: " {2,}" }, " "),
  ];
  const normalizers = [
    ...(charsMap === undefined ? [] : [{ type: "Precompiled", precompiled_charsmap: charsMap }]),
    // A text of spaces alone is no text: the space before it comes when that is known.
    ...(removeExtraSpaces ? trim : [...(addSpacePrefix ? [prepend] : []), spaces]),
  ];
  const prepend_scheme = addSpacePrefix ? "always" : "never";
  return {
    normalizer: { type: "Sequence", normalizers },
    pre_tokenizer: removeExtraSpaces
      ? { type: "Metaspace", replacement: SPACE, prepend_scheme, split: false }
      : null,
    decoder: {
      type: "Sequence",
      decoders: [
        replace({ String: SPACE }, " "),
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(addSpacePrefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
  };
}

/** Every cut of every token into two tokens, by score, then by id, then from the left. */
function mergesByScore(vocabulary: GgufVocabulary): string[][] {
  const { tokens, scores } = vocabulary;
  const merged = tokens.flatMap((token, id) => (isMerged(vocabulary, id) ? [{ token, id }] : []));
  const texts = new Set(merged.map(({ token }) => token));
  merged.sort((a, b) => (scores?.[b.id] ?? 0) - (scores?.[a.id] ?? 0) || a.id - b.id);
  return merged.flatMap(({ token }) => {
    if (token.length > MAX_MERGED_LENGTH) {
      throw new SyntaxError(
        `Cannot convert a vocabulary: tokens that merge must have at most ${MAX_MERGED_LENGTH} ` +
          `characters, got ${token.length} in ${brief(token)}`,
      );
    }
    const cuts: string[][] = [];
    for (let at = 1; at < token.length; at++) {
      const [left, right] = [token.slice(0, at), token.slice(at)];
      if (texts.has(left) && texts.has(right)) cuts.push([left, right]);
    }
    return cuts;
  });
}

/** Whether merges yield a token: one of plain text, or a user-defined run of spaces. */
function isMerged(vocabulary: GgufVocabulary, id: number): boolean {
  const type = typeOf(vocabulary, id);
  return type === 1 || (type === 4 && vocabulary.tokens[id]!.includes(SPACE));
}

function hasBytes(vocabulary: GgufVocabulary): boolean {
  const { tokens } = vocabulary;
  const bytes = tokens.filter(
    (token, id) => typeOf(vocabulary, id) === 6 && /^<0x[0-9A-F]{2}>$/.test(token),
  );
  return bytes.length === 256;
}

function typeOf({ tokenTypes }: GgufVocabulary, id: number): TokenType {
  return tokenTypes?.[id] ?? 1;
}

function idsOf(tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}
