import type { GgufVocabulary } from "./vocabulary_data.ts";

/** Most tokens of a vocabulary, and bound of their ids: the largest in use have 2¹⁸. */
export const MAX_TOKENS: number = 2 ** 22;

/** What a file of a vocabulary got wrong. */
export function vocabularyError(file: string, rule: string, got: string): SyntaxError {
  return new SyntaxError(`Cannot read "${file}": ${rule}, got ${got}`);
}

/**
 * Checks a vocabulary whatever file it came from: tokens that are different and not empty, lists
 * as long as they must be, finite scores, ids within.
 *
 * @throws {SyntaxError} Naming the file and the token.
 */
export function checkVocabulary(vocabulary: GgufVocabulary, file: string): void {
  const { tokens, scores, tokenTypes } = vocabulary;
  if (tokens.length === 0 || tokens.length > MAX_TOKENS) {
    const rule = `a vocabulary must have 1 to ${MAX_TOKENS} tokens`;
    throw vocabularyError(file, rule, String(tokens.length));
  }
  for (const [name, list] of Object.entries({ scores, tokenTypes })) {
    if (list !== undefined && list.length !== tokens.length) {
      const rule = `there must be as many ${name} as tokens, ${tokens.length}`;
      throw vocabularyError(file, rule, String(list.length));
    }
  }
  const idOf = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    const score = scores?.[id] ?? 0;
    if (!Number.isFinite(score)) {
      throw vocabularyError(file, `the score of token ${id} must be finite`, String(score));
    }
    const twin = idOf.get(token);
    if (token === "" || twin !== undefined) {
      const got = token === "" ? "none" : `that of token ${twin}, ${brief(token)}`;
      throw vocabularyError(file, `token ${id} must have a text of its own`, got);
    }
    idOf.set(token, id);
  }
  const { bosId, eosId, unkId, padId } = vocabulary;
  for (const [name, id] of Object.entries({ bosId, eosId, unkId, padId })) {
    if (id !== undefined && !(Number.isInteger(id) && id >= 0 && id < tokens.length)) {
      const rule = `${name} must be the id of one of ${tokens.length} tokens`;
      throw vocabularyError(file, rule, String(id));
    }
  }
}

/** A token in quotes, cut to what fits a line. */
export function brief(token: string): string {
  return JSON.stringify(token.length > 40 ? `${token.slice(0, 40)}…` : token);
}
