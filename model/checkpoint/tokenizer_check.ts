import type { ModelConfig } from "../transformer/config.ts";
import { brief, isJsonObject, type JsonObject, type JsonValue } from "./strict_json.ts";

/**
 * Checks that a model has an embedding for each token of its tokenizer. It may have more: many
 * models round their number up.
 *
 * @param tokenizer Content of `tokenizer.json`.
 * @param config The model.
 * @param file Name of the file, for errors.
 * @throws {SyntaxError} If the vocabulary is missing or an id is no integer.
 * @throws {RangeError} If an id is beyond the model's vocabulary, naming the token.
 */
export function checkTokenizer(tokenizer: JsonObject, config: ModelConfig, file: string): void {
  const { vocabSize } = config;
  for (const [token, id] of tokensOf(tokenizer, file)) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0) {
      const rule = `the id of token ${brief(token)} must be a non-negative integer`;
      throw new SyntaxError(`Cannot read "${file}": ${rule}, got ${brief(id)}`);
    }
    if (id >= vocabSize) {
      const rule = `ids of tokens must be below the model's vocabSize ${vocabSize}`;
      throw new RangeError(`Cannot read "${file}": ${rule}, got ${id} for ${brief(token)}`);
    }
  }
}

/** Every token and its id: those of the model, and those added to it. */
function tokensOf(tokenizer: JsonObject, file: string): [token: JsonValue, id: JsonValue][] {
  const { model, added_tokens: added = [] } = tokenizer;
  const vocab = isJsonObject(model) ? model["vocab"] : undefined;
  if (typeof vocab !== "object" || vocab === null) {
    const rule = "model.vocab must list the tokens";
    throw new SyntaxError(`Cannot read "${file}": ${rule}, got ${brief(vocab)}`);
  }
  // SentencePiece's unigram models list [token, score] in the order of ids.
  const tokens: [JsonValue, JsonValue][] = Array.isArray(vocab)
    ? vocab.map((entry: JsonValue, id) => [Array.isArray(entry) ? entry[0] : entry, id])
    : Object.entries(vocab);
  if (!Array.isArray(added)) {
    const rule = "added_tokens must be a list";
    throw new SyntaxError(`Cannot read "${file}": ${rule}, got ${brief(added)}`);
  }
  for (const entry of added as readonly JsonValue[]) {
    const { content = null, id = null } = isJsonObject(entry) ? entry : {};
    tokens.push([content, id]);
  }
  return tokens;
}
