import { Fields } from "../checkpoint/fields.ts";
import { brief, isJsonObject, type JsonObject, type JsonValue } from "../checkpoint/strict_json.ts";
import { checkTokenizer } from "../checkpoint/tokenizer_check.ts";
import type { ModelConfig } from "../transformer/config.ts";

/** Names of the files with added tokens. */
const LIST_FILE = "added_tokens.json";
const CONFIG_FILE = "tokenizer_config.json";

/** A token that was added to a vocabulary, and where it says so. */
export interface NamedToken {
  readonly file: string;
  readonly id: number;
  readonly content: string;
  /** How it is found in a text, and whether it is special, in the keys of `tokenizer.json`. */
  readonly flags: Readonly<Record<string, boolean>>;
}

/**
 * Lists the tokens that were added to a vocabulary after it was made.
 *
 * @param list Content of `added_tokens.json`, ids by text, if it is there; a token of it is special
 * if `tokenizer_config.json` names it as one.
 * @param tokenizerConfig Content of `tokenizer_config.json`, whose `added_tokens_decoder` says more
 * of each.
 * @throws {SyntaxError} If one is malformed.
 */
export function listAddedTokens(
  list: JsonObject | undefined,
  tokenizerConfig: JsonObject,
): NamedToken[] {
  const special = specialTexts(tokenizerConfig);
  const tokens = Object.entries(list ?? {}).map(([content, id]): NamedToken => {
    if (typeof id !== "number") throw problem(LIST_FILE, `the id of ${brief(content)}`, id);
    return { file: LIST_FILE, id, content, flags: { special: special.has(content) } };
  });
  const decoder = tokenizerConfig["added_tokens_decoder"] ?? {};
  if (!isJsonObject(decoder)) throw problem(CONFIG_FILE, "added_tokens_decoder", decoder);
  for (const [key, entry] of Object.entries(decoder)) {
    const rule = `added_tokens_decoder[${brief(key)}]`;
    if (!/^\d+$/.test(key) || !isJsonObject(entry)) throw problem(CONFIG_FILE, rule, entry);
    const { content } = entry;
    if (typeof content !== "string") throw problem(CONFIG_FILE, `${rule}.content`, content);
    const fields = new Fields(entry, CONFIG_FILE, `${rule}.`);
    const flag = (name: string) => fields.boolean(name, { orElse: false });
    const flags = {
      single_word: flag("single_word"),
      lstrip: flag("lstrip"),
      rstrip: flag("rstrip"),
      special: flag("special"),
    };
    tokens.push({ file: CONFIG_FILE, id: Number(key), content, flags });
  }
  return tokens;
}

/**
 * A tokenizer with more tokens; one that it has already becomes as it is listed.
 *
 * @param tokenizer Content of a `tokenizer.json`.
 * @throws {SyntaxError} If a text has another id already, or an id another text.
 * @throws {RangeError} If an id is beyond the model's vocabulary, naming the token.
 */
export function addTokens(
  tokenizer: JsonObject,
  tokens: readonly NamedToken[],
  config: ModelConfig,
): JsonObject {
  const { model = null, added_tokens: own = [] } = tokenizer;
  const idOf = idsOf(model);
  const textOf = new Map(Array.from(idOf, ([content, id]) => [id, content]));
  const added = new Map<JsonValue, JsonObject>();
  for (const entry of Array.isArray(own) ? own.filter(isJsonObject) : []) {
    added.set(entry["id"] ?? null, entry);
  }
  for (const { file, id, content, flags } of tokens) {
    // Texts are searched for as they are: normalized ones would begin with a space of their own.
    const flagless = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    const entry = { id, content, ...flagless, ...flags };
    checkTokenizer({ model: { vocab: {} }, added_tokens: [entry] }, config, file);
    const [otherId = id, otherText = content] = [idOf.get(content), textOf.get(id)];
    if (otherId !== id || otherText !== content) {
      const got = otherId === id ? brief(otherText) : `${brief(content)} as ${otherId}`;
      const rule = `added tokens must be those of the vocabulary, or new: ${brief(content)} as ${id}`;
      throw new SyntaxError(`Cannot read "${file}": ${rule}, got ${got} there`);
    }
    idOf.set(content, id);
    textOf.set(id, content);
    added.set(id, entry);
  }
  return { ...tokenizer, added_tokens: [...added.values()] };
}

/** Ids of a vocabulary, whether it lists tokens with their ids or with their scores. */
function idsOf(model: JsonValue): Map<string, number> {
  const vocab = isJsonObject(model) ? (model["vocab"] ?? null) : null;
  const entries: (readonly [JsonValue | undefined, JsonValue])[] = Array.isArray(vocab)
    ? vocab.map((entry: JsonValue, id) => [
        Array.isArray(entry) ? (entry[0] as JsonValue) : entry,
        id,
      ])
    : Object.entries(vocab ?? {});
  const ids = new Map<string, number>();
  for (const [token, id] of entries) {
    if (typeof token === "string" && typeof id === "number") ids.set(token, id);
  }
  return ids;
}

/** Texts that `tokenizer_config.json` names as tokens with a role. */
function specialTexts(config: JsonObject): Set<JsonValue | undefined> {
  const roles = Object.entries(config).flatMap(([key, value]) =>
    key.endsWith("_token") ? [value] : [],
  );
  const others = config["additional_special_tokens"];
  const all: readonly JsonValue[] = [...roles, ...(Array.isArray(others) ? others : [])];
  return new Set(all.map((value) => (isJsonObject(value) ? value["content"] : value)));
}

function problem(file: string, what: string, got: JsonValue | undefined): SyntaxError {
  const rule = "must be as Hugging Face's libraries write added tokens";
  return new SyntaxError(`Cannot read "${file}": ${what} ${rule}, got ${brief(got)}`);
}
