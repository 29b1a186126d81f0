import type { ModelConfig } from "../transformer/config.ts";
import { Fields } from "./fields.ts";
import type { JsonObject, JsonValue } from "./strict_json.ts";

/** Where generated text begins and ends, and how its author means it to be drawn. */
export interface Generation {
  /** Token that text begins with. */
  readonly beginToken?: number;
  /** Tokens that each end a text. */
  readonly endTokens: readonly number[];
  /** Token that fills rows up. */
  readonly padToken?: number;
  /** Whether to draw tokens, not to take the most probable. */
  readonly doSample?: boolean;
  /** Logits are divided by it. */
  readonly temperature?: number;
  /** Most probable tokens that are drawn from; 0 for all. */
  readonly topK?: number;
  /** Share of the probability that the tokens drawn from must reach. */
  readonly topP?: number;
  /** Probability, as a share of the highest, that a token must have to be drawn. */
  readonly minP?: number;
  /** Divides positive logits of tokens that have occurred, and multiplies negative ones. */
  readonly repetitionPenalty?: number;
  /** Tokens that are generated at most. */
  readonly maxNewTokens?: number;
}

/** A number of {@linkcode Generation}, its key in the file, and what it must be. */
interface Setting {
  readonly name: "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "maxNewTokens";
  readonly key: string;
  readonly rule: string;
  readonly isValid: (value: number) => boolean;
}

const SETTINGS: readonly Setting[] = [
  {
    name: "temperature",
    key: "temperature",
    rule: "must not be negative",
    isValid: (x) => x >= 0 && Number.isFinite(x),
  },
  {
    name: "topK",
    key: "top_k",
    rule: "must count from 0",
    isValid: (x) => x >= 0 && Number.isSafeInteger(x),
  },
  { name: "topP", key: "top_p", rule: "must lie in [0, 1]", isValid: (x) => x >= 0 && x <= 1 },
  { name: "minP", key: "min_p", rule: "must lie in [0, 1]", isValid: (x) => x >= 0 && x <= 1 },
  {
    name: "repetitionPenalty",
    key: "repetition_penalty",
    rule: "must be positive",
    isValid: (x) => x > 0 && Number.isFinite(x),
  },
  {
    name: "maxNewTokens",
    key: "max_new_tokens",
    rule: "must count from 1",
    isValid: (x) => x >= 1 && Number.isSafeInteger(x),
  },
];

/**
 * Content of `generation_config.json`.
 *
 * @throws {RangeError} If a token is not in the vocabulary, or a setting is out of its range.
 */
export function generationToJson(generation: Generation, config: ModelConfig): JsonObject {
  const { beginToken, endTokens, padToken, doSample } = generation;
  const tokens = [beginToken, padToken, ...endTokens].filter((token) => token !== undefined);
  const stranger = tokens.find((token): boolean => !isToken(token, config));
  if (stranger !== undefined) {
    throw new RangeError(
      `Cannot write a checkpoint: ids of tokens must be below vocabSize ${config.vocabSize}, got ${stranger}`,
    );
  }
  const settings: [key: string, value: number][] = [];
  for (const { name, key, rule, isValid } of SETTINGS) {
    const value = generation[name];
    if (value === undefined) continue;
    if (!isValid(value)) {
      throw new RangeError(`Cannot write a checkpoint: ${name} ${rule}, got ${value}`);
    }
    settings.push([key, value]);
  }
  return {
    ...(beginToken === undefined ? {} : { bos_token_id: beginToken }),
    eos_token_id: endTokens.length === 1 ? endTokens[0]! : endTokens,
    ...(padToken === undefined ? {} : { pad_token_id: padToken }),
    ...(doSample === undefined ? {} : { do_sample: doSample }),
    ...Object.fromEntries(settings),
  };
}

/**
 * Reads `generation_config.json`. Tokens outside of the vocabulary, which files of derived models
 * keep from others, are left aside: a model cannot give them.
 *
 * @throws {SyntaxError} If a token's id is no integer, or a setting is out of its range.
 */
export function generationFromJson(
  json: JsonObject,
  config: ModelConfig,
  file: string,
): Generation {
  const fields = new Fields(json, file);
  const tokens = (key: string, values: readonly JsonValue[]): readonly number[] => {
    if (!values.every(Number.isInteger)) fields.refuse(key, "must hold ids of tokens");
    return values.filter((value) => isToken(value, config));
  };
  const begin = fields.raw("bos_token_id") ?? null;
  const pad = fields.raw("pad_token_id") ?? null;
  const [beginToken] = begin === null ? [] : tokens("bos_token_id", [begin]);
  const settings: [name: string, value: number][] = [];
  for (const { name, key, rule, isValid } of SETTINGS) {
    if ((fields.raw(key) ?? null) === null) continue;
    const value = fields.number(key);
    settings.push([name, isValid(value) ? value : fields.refuse(key, rule)]);
  }
  const isSampled = (fields.raw("do_sample") ?? null) !== null;
  return {
    ...(beginToken !== undefined && { beginToken }),
    endTokens: tokens("eos_token_id", listOf(fields.raw("eos_token_id"))),
    ...(isToken(pad, config) && { padToken: pad }),
    ...(isSampled ? { doSample: fields.boolean("do_sample") } : {}),
    ...Object.fromEntries(settings),
  };
}

/**
 * What `config.json` says of generation, as older models have it; tokens outside of the
 * vocabulary, which are defaults of a family, are left aside.
 *
 * @returns Undefined if it says nothing.
 */
export function generationOfConfig(json: JsonObject, config: ModelConfig): Generation | undefined {
  const { bos_token_id: begin = null, eos_token_id: end = null } = json;
  const endTokens = listOf(end).filter((value) => isToken(value, config));
  if (!isToken(begin, config) && endTokens.length === 0) return undefined;
  return { ...(isToken(begin, config) ? { beginToken: begin } : {}), endTokens };
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value ?? []) ? ((value ?? []) as readonly JsonValue[]) : [value!];
}

function isToken(value: JsonValue, { vocabSize }: ModelConfig): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < vocabSize;
}
