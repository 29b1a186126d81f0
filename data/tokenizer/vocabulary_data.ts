/**
 * What kind of token an entry of a SentencePiece or GGUF vocabulary is: 1 normal, 2 unknown,
 * 3 control, 4 user-defined, 5 unused, 6 byte.
 */
export type TokenType = 1 | 2 | 3 | 4 | 5 | 6;

/**
 * The tokenizer that a GGUF file embeds, as it stands there; a SentencePiece file or llama2.c's
 * `tokenizer.bin` amounts to the same. Nothing is known of it but that the types are these, lists
 * of the same tokens are equally long, and ids lie below their length.
 *
 * @see {@link https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer}
 */
export interface GgufVocabulary {
  /** Kind of model: `"llama"` is SentencePiece's BPE by scores, `"gpt2"` byte-level BPE by merges. */
  readonly model: string;
  /** How text is cut before it is tokenized, by name, such as `"llama-bpe"`, `"qwen2"`. */
  readonly pre?: string;
  /** Text of each token by id: `"▁"` for spaces in SentencePiece, byte-level letters in BPE. */
  readonly tokens: readonly string[];
  /** Score of each token, higher is merged sooner; SentencePiece only. */
  readonly scores?: Float32Array<ArrayBuffer>;
  /** Kind of each token; all normal where absent. */
  readonly tokenTypes?: readonly TokenType[];
  /** `"left right"`, in the order of merging; byte-level BPE only. */
  readonly merges?: readonly string[];
  /** Id of the token that begins a text. */
  readonly bosId?: number;
  /** Id of the token that ends a text. */
  readonly eosId?: number;
  /** Id of the token for what no other token covers. */
  readonly unkId?: number;
  /** Id of the token that fills batches. */
  readonly padId?: number;
  /** Whether encoding begins with {@linkcode GgufVocabulary.bosId}; up to the model where absent. */
  readonly addBos?: boolean;
  /** Whether encoding ends with {@linkcode GgufVocabulary.eosId}; up to the model where absent. */
  readonly addEos?: boolean;
  /** Whether a space is put before the text; SentencePiece only, true where absent. */
  readonly addSpacePrefix?: boolean;
  /** Whether runs of spaces become one and outer ones go; SentencePiece only, false where absent. */
  readonly removeExtraSpaces?: boolean;
  /** SentencePiece's `precompiled_charsmap` in base64, if text is normalized by one. */
  readonly charsMap?: string;
  /** Jinja template of a conversation. */
  readonly chatTemplate?: string;
}
