import type { GgufVocabulary, TokenType } from "../../../data/tokenizer/vocabulary_data.ts";
import type { ByteSource } from "../byte_source.ts";
import { readGgufHeader } from "./header.ts";
import type { GgufMetadata } from "./metadata.ts";

const PREFIX = "tokenizer.ggml.";

/** Kinds of tokens; 0, "undefined", stands in files of models that know no kinds. */
const LAST_TYPE = 6;

/**
 * The vocabulary of a GGUF file, which may hold nothing else.
 *
 * @throws {SyntaxError} If the file is no valid GGUF file, has no vocabulary, or one whose lists
 * or ids do not fit together, naming file and key.
 */
export async function readGgufVocabulary(source: ByteSource): Promise<GgufVocabulary> {
  const { metadata } = await readGgufHeader(source);
  const vocabulary = vocabularyOf(metadata);
  if (vocabulary !== undefined) return vocabulary;
  return metadata.refuse(`${PREFIX}tokens`, "must be an array of strings", "nothing");
}

/** The vocabulary that metadata hold, or undefined. */
export function vocabularyOf(metadata: GgufMetadata): GgufVocabulary | undefined {
  const tokens = metadata.strings(`${PREFIX}tokens`);
  if (tokens === undefined) return undefined;
  const length = tokens.length;
  const model = metadata.string(`${PREFIX}model`);
  if (model === undefined) return metadata.refuse(`${PREFIX}model`, "must be a string", "nothing");
  checkLength(metadata, "scores", length);
  checkLength(metadata, "token_type", length);
  return defined<GgufVocabulary>({
    model,
    pre: metadata.string(`${PREFIX}pre`),
    tokens,
    scores: metadata.floats(`${PREFIX}scores`),
    tokenTypes: readTypes(metadata),
    merges: metadata.strings(`${PREFIX}merges`),
    bosId: readId(metadata, "bos_token_id", length),
    eosId: readId(metadata, "eos_token_id", length),
    unkId: readId(metadata, "unknown_token_id", length),
    padId: readId(metadata, "padding_token_id", length),
    addBos: metadata.boolean(`${PREFIX}add_bos_token`),
    addEos: metadata.boolean(`${PREFIX}add_eos_token`),
    addSpacePrefix: metadata.boolean(`${PREFIX}add_space_prefix`),
    removeExtraSpaces: metadata.boolean(`${PREFIX}remove_extra_whitespaces`),
    charsMap: readCharsMap(metadata),
    chatTemplate: metadata.string("tokenizer.chat_template"),
  });
}

/** The token that ends a turn, which ends a text, too; undefined where there is none. */
export function endOfTurn(metadata: GgufMetadata, numTokens: number): number | undefined {
  return readId(metadata, "eot_token_id", numTokens);
}

function readTypes(metadata: GgufMetadata): TokenType[] | undefined {
  const key = `${PREFIX}token_type`;
  const types = metadata.floats(key);
  if (types === undefined) return undefined;
  return Array.from(types, (type) => {
    if (!Number.isInteger(type) || type < 0 || type > LAST_TYPE) {
      metadata.refuse(key, `must hold integers from 0 to ${LAST_TYPE}`, `${type}`);
    }
    return (type === 0 ? 1 : type) as TokenType;
  });
}

function readId(metadata: GgufMetadata, name: string, numTokens: number): number | undefined {
  const key = PREFIX + name;
  if (!metadata.has(key)) return undefined;
  const id = metadata.number(key);
  if (Number.isInteger(id) && id >= 0 && id < numTokens) return id;
  return metadata.refuse(key, `must be the id of one of ${numTokens} tokens`, `${id}`);
}

function readCharsMap(metadata: GgufMetadata): string | undefined {
  const bytes = metadata.bytes(`${PREFIX}precompiled_charsmap`);
  if (bytes === undefined) return undefined;
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function checkLength(metadata: GgufMetadata, name: string, length: number): void {
  const got = metadata.length(PREFIX + name) ?? length;
  if (got === length) return;
  metadata.refuse(PREFIX + name, `must have ${length} elements, one a token`, `${got}`);
}

/** An object without the properties that are undefined. */
function defined<T>(object: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined),
  ) as unknown as T;
}
