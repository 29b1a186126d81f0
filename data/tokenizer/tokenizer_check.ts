import { brief, MAX_TOKENS } from "./vocabulary_check.ts";

/** Models of a `tokenizer.json` that can be followed. */
const MODELS = ["BPE", "Unigram", "WordPiece"] as const;

/** Longest token of a unigram model, in UTF-16 units. */
const MAX_UNIGRAM_LENGTH = 256;

/** Ids that may be missing. */
const MAX_GAP = 2 ** 14;

/** What the checks found in a `tokenizer.json`. */
export interface CheckedTokenizer {
  readonly type: (typeof MODELS)[number];
  readonly model: Readonly<Record<string, unknown>>;
  /** Tokens by id, added ones included. */
  readonly tokens: readonly (string | undefined)[];
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly added: readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
}

/** What is wrong with a `tokenizer.json`. */
export function tokenizerError(rule: string, got: unknown): SyntaxError {
  const text = brief(typeof got === "string" ? got : (JSON.stringify(got) ?? "nothing"));
  return new SyntaxError(`Cannot load a tokenizer: ${rule}, got ${text}`);
}

/**
 * Checks the content of a `tokenizer.json` as far as a library that trusts it could be led astray:
 * ids without bounds, merges of tokens that are not there, models it does not know.
 *
 * @throws {SyntaxError} Naming the field.
 */
export function checkTokenizerJson(json: unknown): CheckedTokenizer {
  const root = jsonRecord(json, "the content");
  const model = jsonRecord(root["model"], "model");
  const type = modelType(model);
  const { tokens, ids } = readVocab(model, type);
  const added = readAdded(root["added_tokens"]);
  const merges = type === "BPE" ? readMerges(model["merges"], ids) : [];
  if (type === "BPE" && (model["continuing_subword_prefix"] ?? "") !== "") {
    throw tokenizerError(
      "BPE must have no continuing_subword_prefix",
      model["continuing_subword_prefix"],
    );
  }
  for (const { id, content } of added) tokens[id] = content;
  checkDense(tokens, Object.keys(tokens).length);
  return { type, model, tokens, merges, added };
}

/** A JSON object. @throws {SyntaxError} If it is anything else. */
export function jsonRecord(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw tokenizerError(`${name} must be an object`, value);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object that is no list
  return value as Readonly<Record<string, unknown>>;
}

/** A number that may be missing. @throws {SyntaxError} If it is no small count. */
export function numberOr(value: unknown, orElse: number): number {
  if (value === undefined || value === null) return orElse;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 2 ** 16) {
    throw tokenizerError("a count must be an integer from 0 to 65536", value);
  }
  return value;
}

/** Early files do not say what model they hold. */
function modelType(model: Readonly<Record<string, unknown>>): CheckedTokenizer["type"] {
  const { type = guessedType(model) } = model;
  const known = MODELS.find((name) => name === type);
  if (known === undefined) {
    throw tokenizerError(`its model must be BPE, Unigram or WordPiece`, type);
  }
  return known;
}

function guessedType({ vocab, merges, unk_token }: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(vocab)) return "Unigram";
  if (Array.isArray(merges)) return "BPE";
  return unk_token === undefined ? undefined : "WordPiece";
}

interface Vocab {
  readonly tokens: (string | undefined)[];
  readonly ids: ReadonlyMap<string, number>;
}

function readVocab(model: Readonly<Record<string, unknown>>, type: string): Vocab {
  const tokens: (string | undefined)[] = [];
  const ids = new Map<string, number>();
  const entries: [unknown, unknown][] =
    type === "Unigram"
      ? unigramEntries(model)
      : Object.entries(jsonRecord(model["vocab"], "vocab"));
  for (const [token, id] of entries) {
    if (typeof token !== "string") throw tokenizerError("a token must be text", token);
    if (!isId(id)) throw tokenizerError(`ids must be integers from 0 to ${MAX_TOKENS - 1}`, id);
    tokens[id] = token;
    ids.set(token, id);
  }
  if (ids.size === 0) throw tokenizerError("its vocabulary must have a token", "none");
  checkDense(tokens, ids.size);
  return { tokens, ids };
}

/** Ids may leave gaps, but not so wide that a vocabulary of a few tokens takes much memory. */
function checkDense(tokens: readonly unknown[], count: number): void {
  const most = 2 * count + MAX_GAP;
  if (tokens.length > most) {
    throw tokenizerError(`ids of ${count} tokens must be below ${most}`, tokens.length - 1);
  }
}

function unigramEntries({ vocab, unk_id: unknownId }: Readonly<Record<string, unknown>>) {
  if (!Array.isArray(vocab)) throw tokenizerError("vocab of a unigram model must be a list", vocab);
  if (
    unknownId !== undefined &&
    unknownId !== null &&
    !(isId(unknownId) && unknownId < vocab.length)
  ) {
    throw tokenizerError("unk_id must be the id of a token", unknownId);
  }
  return vocab.map((entry: unknown, id): [unknown, unknown] => {
    const [token, score]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof token !== "string" || typeof score !== "number" || !Number.isFinite(score)) {
      throw tokenizerError("vocab must list [token, score]", entry);
    }
    if (token.length > MAX_UNIGRAM_LENGTH) {
      throw tokenizerError(`tokens must have at most ${MAX_UNIGRAM_LENGTH} characters`, token);
    }
    return [token, id];
  });
}

function readAdded(list: unknown): CheckedTokenizer["added"] {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list)) throw tokenizerError("added_tokens must be a list", list);
  return list.map((entry: unknown) => {
    const { id, content, special = false } = jsonRecord(entry, "an added token");
    if (typeof content !== "string") throw tokenizerError("an added token must be text", content);
    if (!isId(id)) throw tokenizerError(`ids must be integers from 0 to ${MAX_TOKENS - 1}`, id);
    return { id, content, special: special === true };
  });
}

function readMerges(list: unknown, ids: ReadonlyMap<string, number>): [string, string][] {
  if (!Array.isArray(list)) throw tokenizerError("merges must be a list", list);
  return list.map((entry: unknown) => {
    const [left, right, ...more]: unknown[] =
      typeof entry === "string" ? entry.split(" ") : Array.isArray(entry) ? entry : [];
    if (typeof left !== "string" || typeof right !== "string" || more.length > 0) {
      throw tokenizerError("a merge must be two tokens", entry);
    }
    if (!ids.has(left) || !ids.has(right) || !ids.has(left + right)) {
      throw tokenizerError("a merge must join two tokens to a third", entry);
    }
    return [left, right];
  });
}

function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < MAX_TOKENS;
}
