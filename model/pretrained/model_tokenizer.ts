import { Tokenizer } from "../../data/tokenizer/tokenizer.ts";
import type { StoredModel } from "../checkpoint/stored_model.ts";

/**
 * The tokenizer of a model's files.
 *
 * @throws {SyntaxError} If the model has none, or it is malformed.
 */
export function tokenizerOfModel({ name, tokenizer, ...rest }: StoredModel): Tokenizer {
  if (tokenizer === undefined) {
    const { tokenizerProblem: reason } = rest;
    const got = reason === undefined ? "none" : `none that can be taken: ${reason}`;
    throw new SyntaxError(
      `Cannot use "${name}": it must have a tokenizer (tokenizer.json, tokenizer.model or GGUF's own), got ${got}`,
    );
  }
  const { tokenizerConfig, generation } = rest;
  const { beginToken, endTokens = [], padToken } = generation ?? {};
  const ids = { bos_token_id: beginToken, eos_token_id: endTokens[0], pad_token_id: padToken };
  return Tokenizer.fromJson(tokenizer, {
    ...(tokenizerConfig !== undefined && { config: tokenizerConfig }),
    generation: Object.fromEntries(Object.entries(ids).filter(([, id]) => id !== undefined)),
  });
}
