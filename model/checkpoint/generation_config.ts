import type { ModelConfig } from "../transformer/config.ts";
import { Fields } from "./fields.ts";
import type { JsonObject, JsonValue } from "./strict_json.ts";

/** Where generated text begins and ends. */
export interface Generation {
  /** Token that text begins with. */
  readonly beginToken?: number;
  /** Tokens that each end a text. */
  readonly endTokens: readonly number[];
}

/**
 * Content of `generation_config.json`.
 *
 * @throws {RangeError} If a token is not in the vocabulary.
 */
export function generationToJson(
  { beginToken, endTokens }: Generation,
  config: ModelConfig,
): JsonObject {
  const tokens = beginToken === undefined ? endTokens : [beginToken, ...endTokens];
  const stranger = tokens.find((token): boolean => !isToken(token, config));
  if (stranger !== undefined) {
    throw new RangeError(
      `Cannot write a checkpoint: ids of tokens must be below vocabSize ${config.vocabSize}, got ${stranger}`,
    );
  }
  return {
    ...(beginToken === undefined ? {} : { bos_token_id: beginToken }),
    eos_token_id: endTokens.length === 1 ? endTokens[0]! : endTokens,
  };
}

/**
 * Reads `generation_config.json`; what concerns sampling is left aside.
 *
 * @throws {SyntaxError} If a token is not in the vocabulary.
 */
export function generationFromJson(
  json: JsonObject,
  config: ModelConfig,
  file: string,
): Generation {
  const fields = new Fields(json, file);
  const token = (key: string, value: JsonValue): number =>
    isToken(value, config)
      ? value
      : fields.refuse(key, `must hold ids of tokens below ${config.vocabSize}`);
  const begin = fields.raw("bos_token_id") ?? null;
  const end = fields.raw("eos_token_id") ?? [];
  const ends: readonly JsonValue[] = Array.isArray(end) ? end : [end];
  return {
    ...(begin === null ? {} : { beginToken: token("bos_token_id", begin) }),
    endTokens: ends.map((value) => token("eos_token_id", value)),
  };
}

function isToken(value: JsonValue, { vocabSize }: ModelConfig): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < vocabSize;
}
