import { checkVocabulary, MAX_TOKENS, vocabularyError } from "./vocabulary_check.ts";
import { BYTE_ALPHABET } from "./byte_level.ts";
import type { GgufVocabulary, TokenType } from "./vocabulary_data.ts";

/** What {@linkcode readGpt2Vocabulary} may be told. */
export interface Gpt2VocabularyOptions {
  /** Name of the file with the ids, for errors. @default {"encoder.json"} */
  readonly vocabFile?: string;
  /** Name of the file with the merges, for errors. @default {"vocab.bpe"} */
  readonly mergesFile?: string;
  /** How text is cut before it is tokenized, by GGUF's name for it. @default {"gpt-2"} */
  readonly pre?: string;
}

/**
 * Reads the tokenizer of GPT-2's release: `encoder.json` (or `vocab.json`) and `vocab.bpe` (or
 * `merges.txt`). Qwen's have the same form.
 *
 * Tokens that no merge yields, such as `<|endoftext|>`, are control tokens.
 *
 * @param encoder The id of each token.
 * @param merges The merges, one a line, perhaps after a line `#version: …`.
 * @throws {SyntaxError} If ids are not 0 and up, or a line is not two tokens.
 * @see {@link https://github.com/openai/gpt-2/blob/master/src/encoder.py | GPT-2}
 */
export function readGpt2Vocabulary(
  encoder: object,
  merges: string,
  options: Gpt2VocabularyOptions = {},
): GgufVocabulary {
  const { vocabFile = "encoder.json", mergesFile = "vocab.bpe", pre = "gpt-2" } = options;
  const entries: [string, unknown][] = Object.entries(encoder);
  const tokens: string[] = [];
  if (entries.length > MAX_TOKENS) {
    throw vocabularyError(vocabFile, `it must have at most ${MAX_TOKENS} tokens`, "more");
  }
  const byId = new Map(entries.map(([token, id]) => [id, token]));
  for (let id = 0; id < entries.length; id++) {
    const token = byId.get(id);
    if (token === undefined) {
      const rule = `ids must be 0 to ${entries.length - 1}, each once`;
      throw vocabularyError(vocabFile, rule, `none of ${id}`);
    }
    tokens.push(token);
  }
  const lines = merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  const made = new Set(BYTE_ALPHABET);
  for (const [i, line] of lines.entries()) {
    const parts = line.split(" ");
    if (parts.length !== 2) {
      const got = JSON.stringify(line.slice(0, 50));
      throw vocabularyError(mergesFile, `merge ${i} must be two tokens with a space between`, got);
    }
    made.add(parts.join(""));
  }
  const isControl = tokens.map((token) => !made.has(token));
  const endId = isControl.lastIndexOf(true);
  const vocabulary: GgufVocabulary = {
    model: "gpt2",
    pre,
    tokens,
    tokenTypes: isControl.map((control): TokenType => (control ? 3 : 1)),
    merges: lines,
    ...(endId < 0 ? {} : { bosId: endId, eosId: endId }),
    addBos: false,
    addEos: false,
  };
  checkVocabulary(vocabulary, vocabFile);
  return vocabulary;
}
