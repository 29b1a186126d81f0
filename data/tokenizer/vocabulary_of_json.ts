import { preTokenization } from "./pre_tokenizers.ts";
import type { GgufVocabulary, TokenType } from "./vocabulary_data.ts";
import type { Json, JsonRecord } from "./vocabulary_json.ts";

/** llama.cpp's names of ways to cut text, one for each way that we know. */
const PRE_TOKENIZERS = ["gpt-2", "smollm", "llama-bpe", "qwen2", "default"];

/** Byte tokens of SentencePiece. */
const BYTE = /^<0x[0-9A-F]{2}>$/;

/** A space is put before texts: `Prepend` of the normalizer, or `Metaspace`. */
const SPACE_BEFORE = /"prepend":"▁"|"prepend_scheme":"(always|first)"|"add_prefix_space":true/;

/** Most ids that stand for no token, against those that do. */
const MAX_GAPS = 2;

/**
 * A `tokenizer.json` as a vocabulary that GGUF files can hold: byte-level BPE whose way to cut
 * text llama.cpp knows, or SentencePiece's BPE, where a token's score is how early it is merged.
 * An id that no token has becomes an unused token.
 *
 * @param tokenizer Content of `tokenizer.json`.
 * @param config Content of `tokenizer_config.json`: special tokens, the chat template.
 * @throws {SyntaxError} If it is anything else, such as a tokenizer with a pattern of its own.
 */
export function vocabularyOfTokenizerJson(
  tokenizer: JsonRecord,
  config: JsonRecord = {},
): GgufVocabulary {
  const model = record(tokenizer["model"]);
  if (model["type"] !== "BPE") throw problem("its model must be BPE", model["type"]);
  const merges = list(model["merges"]).map((merge) =>
    typeof merge === "string" ? merge : list(merge).map(text).join(" "),
  );
  const isSentencePiece = model["byte_fallback"] === true;
  const unknown = textOf(config["unk_token"]) ?? textOf(model["unk_token"]);
  const { tokens, tokenTypes } = listTokens(tokenizer, { isSentencePiece, unknown });
  const common = {
    tokens,
    tokenTypes,
    ...specialIds(tokens, { ...config, unk_token: unknown ?? null }),
    ...beginAndEnd(tokenizer, config),
    ...(typeof config["chat_template"] === "string" && { chatTemplate: config["chat_template"] }),
  };
  if (!isSentencePiece) {
    return { model: "gpt2", pre: preTokenizerOf(tokenizer["pre_tokenizer"]), merges, ...common };
  }
  const steps = JSON.stringify([tokenizer["normalizer"], tokenizer["pre_tokenizer"]]);
  return {
    model: "llama",
    pre: "default",
    scores: scoresOf(tokens, merges),
    addSpacePrefix: SPACE_BEFORE.test(steps),
    ...common,
  };
}

/** Texts and kinds of tokens by id. */
function listTokens(
  tokenizer: JsonRecord,
  { isSentencePiece, unknown }: { isSentencePiece: boolean; unknown: string | undefined },
): { tokens: string[]; tokenTypes: TokenType[] } {
  const vocab = Object.entries(record(record(tokenizer["model"])["vocab"]));
  const added = list(tokenizer["added_tokens"] ?? []).map(record);
  const limit = MAX_GAPS * (vocab.length + added.length);
  const found = new Map<number, { token: string; type: TokenType }>();
  const put = (id: Json | undefined, token: string, type: TokenType): void => {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= limit) {
      throw problem(`the id of ${JSON.stringify(token)} must be an integer below ${limit}`, id);
    }
    found.set(id, { token, type });
  };
  for (const [token, id] of vocab) put(id, token, isSentencePiece && BYTE.test(token) ? 6 : 1);
  for (const { id, content, special } of added) {
    if (typeof content !== "string") throw problem("an added token must be a text", content);
    put(id, content, content === unknown ? 2 : special === true ? 3 : 4);
  }
  const length = [...found.keys()].reduce((most, id) => Math.max(most, id + 1), 0);
  const entries = Array.from(
    { length },
    (_, id) => found.get(id) ?? { token: `[PAD${id}]`, type: 5 as const },
  );
  return {
    tokens: entries.map(({ token }) => token),
    tokenTypes: entries.map(({ type }) => type),
  };
}

/** The name of the way to cut text that has these patterns. */
function preTokenizerOf(preTokenizer: Json | undefined): string {
  const patterns = patternsOf(preTokenizer ?? null);
  const name = PRE_TOKENIZERS.find(
    (known) => JSON.stringify(preTokenization(known).patterns) === JSON.stringify(patterns),
  );
  if (name !== undefined) return name;
  const rule = `text must be cut as llama.cpp does for one of ${PRE_TOKENIZERS.join(", ")}`;
  throw problem(`${rule}; write the model without its tokenizer`, patterns);
}

/** Patterns that a pre-tokenizer cuts by, one after another. */
function patternsOf(preTokenizer: Json): readonly Json[] {
  if (preTokenizer === null) return [];
  const step = record(preTokenizer);
  switch (step["type"]) {
    case "Sequence":
      return list(step["pretokenizers"]).flatMap(patternsOf);
    case "Split":
      return [record(step["pattern"])["Regex"] ?? null];
    case "Digits":
      return [step["individual_digits"] === true ? "\\p{N}" : "\\p{N}+"];
    case "ByteLevel":
      return step["use_regex"] === false ? [] : preTokenization("gpt-2").patterns;
    default:
      throw problem("its pre-tokenizers must be Split, Digits or ByteLevel", step["type"]);
  }
}

/** Scores that merge in the same order: a token's is minus the rank of the first merge to it. */
function scoresOf(tokens: readonly string[], merges: readonly string[]): Float32Array<ArrayBuffer> {
  const ranks = new Map<string, number>();
  for (const merge of merges) {
    const token = merge.replace(" ", "");
    if (!ranks.has(token)) ranks.set(token, ranks.size);
  }
  // Characters come of no merge; their scores are behind all others, and decide nothing.
  return Float32Array.from(tokens, (token, id) => -(ranks.get(token) ?? ranks.size + id));
}

function specialIds(
  tokens: readonly string[],
  config: JsonRecord,
): Pick<GgufVocabulary, "bosId" | "eosId" | "unkId" | "padId"> {
  const id = (key: string): number | undefined => {
    const token = textOf(config[key]);
    const index = token === undefined ? -1 : tokens.indexOf(token);
    return index < 0 ? undefined : index;
  };
  const [bosId, eosId, unkId, padId] = ["bos_token", "eos_token", "unk_token", "pad_token"].map(id);
  return {
    ...(bosId !== undefined && { bosId }),
    ...(eosId !== undefined && { eosId }),
    ...(unkId !== undefined && { unkId }),
    ...(padId !== undefined && { padId }),
  };
}

/** Whether texts begin and end with a token: as the configuration says, or the template does. */
function beginAndEnd(
  tokenizer: JsonRecord,
  config: JsonRecord,
): Pick<GgufVocabulary, "addBos" | "addEos"> {
  const template = JSON.stringify(tokenizer["post_processor"] ?? null);
  const has = (key: string): boolean => {
    const token = textOf(config[key]);
    return (
      token !== undefined && template.includes(`"SpecialToken":{"id":${JSON.stringify(token)}`)
    );
  };
  const flag = (key: string, orElse: boolean): boolean => {
    const value = config[key];
    return typeof value === "boolean" ? value : orElse;
  };
  return {
    addBos: flag("add_bos_token", has("bos_token")),
    addEos: flag("add_eos_token", has("eos_token")),
  };
}

/** The text of a special token, which may be written as an object. */
function textOf(value: Json | undefined): string | undefined {
  if (typeof value === "string") return value;
  const content = isRecord(value) ? value["content"] : undefined;
  return typeof content === "string" ? content : undefined;
}

/** A text that must be one. */
function text(value: Json): string {
  if (typeof value !== "string") throw problem("a merge must be two texts", value);
  return value;
}

function record(value: Json | undefined): JsonRecord {
  if (!isRecord(value)) throw problem("an object must stand for each of its parts", value);
  return value;
}

function list(value: Json | undefined): readonly Json[] {
  if (!Array.isArray(value)) throw problem("merges and steps must be arrays", value);
  return value as readonly Json[];
}

function isRecord(value: Json | undefined): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function problem(rule: string, got: Json | undefined): SyntaxError {
  const brief = got === undefined ? "nothing" : JSON.stringify(got);
  return new SyntaxError(
    `Cannot convert a tokenizer.json: ${rule}, got ${brief.length > 60 ? `${brief.slice(0, 60)}…` : brief}`,
  );
}
