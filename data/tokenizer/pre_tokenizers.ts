/** How byte-level vocabularies cut text into words before any merge, as parts of a `tokenizer.json`. */
export interface PreTokenization {
  readonly normalizer: { readonly type: "NFC" } | null;
  /** Patterns whose matches become pieces of their own, one after the other. */
  readonly patterns: readonly string[];
  /** Whether a word that is a token is taken whole, whatever the merges. */
  readonly ignoreMerges: boolean;
}

/** Contractions, words, numbers, all else, each with one space before it; runs of spaces. */
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** As of Llama 3 and Qwen: contractions in either case, numbers in groups, line feeds apart. */
const wordsWithNumbers = (number: string) =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  `${number}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const GPT2_WORDS: PreTokenization = { normalizer: null, patterns: [GPT2], ignoreMerges: false };

const SINGLE_DIGITS: PreTokenization = { ...GPT2_WORDS, patterns: ["\\p{N}", GPT2] };

const LLAMA3: PreTokenization = {
  normalizer: null,
  patterns: [wordsWithNumbers("\\p{N}{1,3}")],
  ignoreMerges: true,
};

const QWEN2: PreTokenization = {
  normalizer: { type: "NFC" },
  patterns: [wordsWithNumbers("\\p{N}")],
  ignoreMerges: false,
};

const DEFAULT: PreTokenization = {
  ...GPT2_WORDS,
  patterns: [
    "[\\p{P}\\$\\+<=>\\^~\\|]+",
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
    "\\p{N}+",
    "[0-9][0-9][0-9]",
  ],
};

const PRE_TOKENIZATIONS: ReadonlyMap<string, PreTokenization> = new Map([
  ["default", DEFAULT],
  ["gpt-2", GPT2_WORDS],
  ["phi-2", GPT2_WORDS],
  ["olmo", GPT2_WORDS],
  ["smollm", SINGLE_DIGITS],
  ["starcoder", SINGLE_DIGITS],
  ["llama3", LLAMA3],
  ["llama-v3", LLAMA3],
  ["llama-bpe", LLAMA3],
  ["qwen2", QWEN2],
  ["deepseek-r1-qwen", QWEN2],
]);

/**
 * How a GGUF file's `tokenizer.ggml.pre` says that text is cut.
 *
 * @param name The name; `"default"` if the file has none.
 * @throws {SyntaxError} If the name is not known: any other pattern would give other tokens.
 * @see {@link https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp | llama.cpp}
 */
export function preTokenization(name = "default"): PreTokenization {
  const known = PRE_TOKENIZATIONS.get(name);
  if (known !== undefined) return known;
  throw new SyntaxError(
    "Cannot convert a vocabulary: its pre-tokenizer must be one of " +
      `${[...PRE_TOKENIZATIONS.keys()].join(", ")}, got ${JSON.stringify(name.slice(0, 50))} ` +
      "(use the tokenizer.json of the model)",
  );
}
