import type { GgufVocabulary } from "../../data/mod.ts";
import { vocabularyOfTokenizerJson } from "../../data/tokenizer/vocabulary_of_json.ts";
import { findRoles } from "../../data/tokenizer/roles.ts";
import type { Generation } from "../../model/checkpoint/generation_config.ts";
import type { StoredModel } from "../../model/checkpoint/stored_model.ts";
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
} from "../../model/checkpoint/strict_json.ts";
import { CliError, EXIT } from "../platform/errors.ts";

/**
 * Where texts begin and end: as the model's files say, or else as its tokenizer has tokens by the
 * common names, such as `</s>`, which is how this program takes them, too.
 */
export function generationOf(stored: StoredModel): Generation | undefined {
  const { generation, tokenizer, tokenizerConfig } = stored;
  if (generation !== undefined || tokenizer === undefined) return generation;
  const texts = tokenTexts(tokenizer);
  const ids = new Map(Array.from(texts, ([id, text]) => [text, id]));
  const { beginId, endId, padId } = findRoles(
    tokenizerConfig === undefined ? {} : { config: tokenizerConfig },
    (text) => ids.get(text),
    (id) => texts.get(id),
  );
  if (beginId === undefined && endId === undefined) return undefined;
  return {
    ...(beginId !== undefined && { beginToken: beginId }),
    endTokens: endId === undefined ? [] : [endId],
    ...(padId !== undefined && { padToken: padId }),
  };
}

/**
 * Content of `tokenizer_config.json`: the model's own, completed by what other programs need to
 * take `tokenizer.json` as it is.
 *
 * @returns Undefined for a model without tokenizer.
 */
export function tokenizerConfigOf(stored: StoredModel): JsonObject | undefined {
  if (stored.tokenizer === undefined) return undefined;
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: stored.config.maxSeqLen,
    clean_up_tokenization_spaces: false,
    ...specialTokens(stored),
    ...stored.tokenizerConfig,
  };
}

/**
 * The tokenizer as GGUF files hold it.
 *
 * @returns Undefined for a model without tokenizer.
 * @throws {CliError} With exit code 5 if llama.cpp knows no such tokenizer.
 */
export function vocabularyOf(stored: StoredModel): GgufVocabulary | undefined {
  if (stored.tokenizer === undefined) return undefined;
  const config = { ...specialTokens(stored), ...stored.tokenizerConfig };
  try {
    return vocabularyOfTokenizerJson(stored.tokenizer, config);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CliError(
      EXIT.checkpoint,
      `Cannot write a GGUF file of "${stored.name}": ${error.message}; or leave the tokenizer out with --no-tokenizer`,
      { cause: error },
    );
  }
}

/** Texts of the tokens that begin, end and fill, by the key that Hugging Face has for each. */
function specialTokens(stored: StoredModel): JsonObject {
  const texts = tokenTexts(stored.tokenizer ?? {});
  const generation = generationOf(stored);
  const ids = {
    bos_token: generation?.beginToken,
    eos_token: generation?.endTokens[0],
    pad_token: generation?.padToken,
  };
  return Object.fromEntries(
    Object.entries(ids).flatMap(([key, id]): [string, string][] => {
      const text = id === undefined ? undefined : texts.get(id);
      return text === undefined ? [] : [[key, text]];
    }),
  );
}

/** Texts of tokens by id. */
function tokenTexts(tokenizer: JsonObject): Map<number, string> {
  const texts = new Map<number, string>();
  const { model = null, added_tokens: added = null } = tokenizer;
  const vocab: JsonValue = isJsonObject(model) ? (model["vocab"] ?? null) : null;
  if (isJsonObject(vocab)) {
    for (const [text, id] of Object.entries(vocab)) if (typeof id === "number") texts.set(id, text);
  } else if (Array.isArray(vocab)) {
    // Unigram: pairs of text and score.
    for (const [id, pair] of (vocab as readonly JsonValue[]).entries()) {
      if (Array.isArray(pair) && typeof pair[0] === "string") texts.set(id, pair[0]);
    }
  }
  for (const token of Array.isArray(added) ? (added as readonly JsonValue[]) : []) {
    if (!isJsonObject(token)) continue;
    const { id, content } = token;
    if (typeof id === "number" && typeof content === "string") texts.set(id, content);
  }
  return texts;
}
