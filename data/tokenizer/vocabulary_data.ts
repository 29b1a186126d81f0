/**
 * What kind of token each is, in the numbering that SentencePiece and GGUF share: a type's number
 * is its place here plus one.
 *
 * @see {@link https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto | SentencePiece}
 */
export const TOKEN_TYPES = [
  "normal",
  "unknown",
  "control",
  "userDefined",
  "unused",
  "byte",
] as const;

/** One of {@linkcode TOKEN_TYPES}. */
export type TokenType = (typeof TOKEN_TYPES)[number];

/**
 * The model that cuts text into tokens, by the names of GGUF: `llama` is SentencePiece's BPE by
 * scores, `t5` its unigram model, `gpt2` byte-level BPE by merges.
 */
export type VocabularyModel = "llama" | "t5" | "gpt2";

/**
 * A vocabulary out of a file that is no `tokenizer.json`: GGUF, SentencePiece, llama2.c, GPT-2.
 * Readers of such files return it; `tokenizerJsonOfVocabulary()` makes a `tokenizer.json` of it.
 */
export interface VocabularyData {
  readonly model: VocabularyModel;
  /** `gpt2` only: name of the pattern that cuts text into words (`tokenizer.ggml.pre`). */
  readonly pre?: string;
  /** By id. SentencePiece's spaces are "▁", its bytes `<0x0A>`; `gpt2` has the byte alphabet. */
  readonly tokens: readonly string[];
  /** `llama` and `t5`: by id. The pair with the higher score merges first. */
  readonly scores?: ArrayLike<number>;
  /** By id; all normal if absent. */
  readonly tokenTypes?: readonly TokenType[];
  /** `gpt2` only: `"left right"` in the order of merging. */
  readonly merges?: readonly string[];
  /** Id of the token that begins a document, if there is one. */
  readonly beginId?: number;
  /** Id of the token that ends a document, if there is one. */
  readonly endId?: number;
  readonly unknownId?: number;
  readonly padId?: number;
  /** Whether texts for the model begin with the begin token. */
  readonly addBegin: boolean;
  /** Whether texts for the model end with the end token. */
  readonly addEnd: boolean;
  /** `llama` and `t5`: whether a space goes before the text. */
  readonly addSpacePrefix: boolean;
  /** Runs of spaces become one, and outer ones go (SentencePiece's remove_extra_whitespaces). */
  readonly removeExtraSpaces?: boolean;
  /** Content of `precompiled_charsmap`, in base64, if text is normalized by it. */
  readonly charsMap?: string;
  /** A Jinja template, if the file has one. */
  readonly chatTemplate?: string;
}
