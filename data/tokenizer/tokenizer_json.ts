/** A token that stands for its text as a whole and is found before any other cut is made. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** The content of a Hugging Face `tokenizer.json`, as far as byte-level BPE needs it. */
export interface TokenizerJson {
  readonly version: string;
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: null;
  readonly pre_tokenizer: {
    readonly type: "Sequence";
    readonly pretokenizers: readonly [
      {
        readonly type: "Split";
        readonly pattern: { readonly Regex: string };
        readonly behavior: "Isolated";
        readonly invert: false;
      },
      ByteLevelJson,
    ];
  };
  readonly post_processor: null;
  readonly decoder: ByteLevelJson;
  readonly model: {
    readonly type: "BPE";
    readonly dropout: null;
    readonly unk_token: null;
    readonly continuing_subword_prefix: null;
    readonly end_of_word_suffix: null;
    readonly fuse_unk: false;
    readonly byte_fallback: false;
    readonly ignore_merges: false;
    /** Id of every token, special ones included. */
    readonly vocab: Readonly<Record<string, number>>;
    /** `"left right"`, in the order of merging; bytes never print as a space. */
    readonly merges: readonly string[];
  };
}

/** The byte-level step, as pre-tokenizer and as decoder. */
export interface ByteLevelJson {
  readonly type: "ByteLevel";
  readonly add_prefix_space: false;
  readonly trim_offsets: boolean;
  readonly use_regex: false;
}

/** What training found. */
export interface TrainedBpe {
  /** Tokens by id, special ones first. */
  readonly vocab: readonly string[];
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly pattern: string;
  readonly specialTokens: readonly string[];
}

const BYTE_LEVEL: ByteLevelJson = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: false,
};

/** Writes a trained tokenizer in the layout of `tokenizer.json`; `JSON.stringify` does the rest. */
export function tokenizerJson(trained: TrainedBpe): TokenizerJson {
  const { vocab, merges, pattern, specialTokens } = trained;
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
        BYTE_LEVEL,
      ],
    },
    post_processor: null,
    decoder: BYTE_LEVEL,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      merges: merges.map(([left, right]) => `${left} ${right}`),
    },
  };
}
