import { END_MARK, PAD_TOKEN, trainBpe } from "../../data/mod.ts";

const TEXTS = ["the cat sat on the mat, the end", "🦙 llama é漢字, that other thing"];

/** A small tokenizer of our own. */
export const own = trainBpe(
  TEXTS.flatMap((text) => [text, `${text} ${text}`]),
  {
    vocabSize: 290,
    pattern: " ?\\p{L}+| ?[^\\s\\p{L}]+|\\s+",
    specialTokens: [PAD_TOKEN, END_MARK],
  },
);

/** An entry of `added_tokens`. */
export const added = (id: number, content: string, special = true) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special,
});

/** WordPiece as BERT has it. */
export const wordPiece = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [added(0, "[PAD]"), added(1, "[UNK]"), added(2, "[CLS]"), added(3, "[SEP]")],
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(
      [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "the",
        "cat",
        "##s",
        "s",
        "##at",
        ",",
        ".",
        "do",
        "n",
        "'",
        "t",
      ].map((token, id) => [token, id]),
    ),
  },
};
