import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { END_MARK } from "../resume.ts";

/** Token that fills rows of a batch. */
export const PAD_TOKEN = "<|pad|>";

/** Names of the tokens with a role. */
export interface TokenizerRoles {
  /**
   * Token that ends a document.
   *
   * @default {"<END OF DATA>"}
   */
  readonly endToken?: string;
  /**
   * Token that fills rows of a batch.
   *
   * @default {"<|pad|>"}
   */
  readonly padToken?: string;
}

/** Longest text encoded at once: one piece that long still encodes in seconds. */
const MAX_TEXT_LENGTH = 2 ** 20;

/** Texts up to this length are remembered with their tokens: titles, rows, headers. */
const MAX_CACHED_LENGTH = 256;
const MAX_CACHE_SIZE = 2 ** 16;

const LONE_SURROGATE = /\p{Cs}/u;

/**
 * Text to token ids and back, by a Hugging Face `tokenizer.json`.
 *
 * @example
 * ```ts ignore
 * const tokenizer = Tokenizer.fromJson(JSON.parse(text));
 * const ids = tokenizer.encode("1996 (some college): Cooks\n");
 * ```
 */
export class Tokenizer {
  /** Number of ids: the rows a model's embedding must have. */
  readonly vocabSize: number;
  /** Id of the token that ends a document. */
  readonly endId: number;
  /** Id of the token that fills rows of a batch. */
  readonly padId: number;
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #cache = new Map<string, Uint32Array<ArrayBuffer>>();

  private constructor(tokenizer: HuggingFaceTokenizer, roles: TokenizerRoles) {
    const { endToken = END_MARK, padToken = PAD_TOKEN } = roles;
    this.#tokenizer = tokenizer;
    let maxId = -1;
    for (const id of tokenizer.get_vocab().values()) maxId = Math.max(maxId, id);
    this.vocabSize = maxId + 1;
    this.endId = idOf(tokenizer, "endToken", endToken);
    this.padId = idOf(tokenizer, "padToken", padToken);
  }

  /**
   * Loads a tokenizer.
   *
   * @param json The parsed content of a `tokenizer.json`.
   * @throws {SyntaxError} If `json` is not a tokenizer.
   * @throws {RangeError} If it lacks a token of {@linkcode TokenizerRoles}.
   */
  static fromJson(json: object, roles: TokenizerRoles = {}): Tokenizer {
    let tokenizer: HuggingFaceTokenizer;
    try {
      tokenizer = new HuggingFaceTokenizer(json, {});
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new SyntaxError(
        `Cannot load a tokenizer: it must be the content of a tokenizer.json, got ${reason}`,
        { cause: error },
      );
    }
    return new Tokenizer(tokenizer, roles);
  }

  /**
   * Tokens of a text. Special tokens in it count as such; none is added.
   *
   * Time: O(n log n) in the longest piece; short texts are remembered.
   *
   * @throws {RangeError} If the text is longer than 1,048,576 UTF-16 units or has half a
   * surrogate pair, which no bytes can express.
   */
  encode(text: string): Uint32Array<ArrayBuffer> {
    const cached = this.#cache.get(text);
    if (cached !== undefined) return cached.slice();
    if (text.length > MAX_TEXT_LENGTH || LONE_SURROGATE.test(text)) {
      throw new RangeError(
        `Cannot encode text: it must be well-formed and at most ${MAX_TEXT_LENGTH} characters ` +
          `long (encode it in parts), got ${text.length} characters`,
      );
    }
    const ids = Uint32Array.from(this.#tokenizer.encode(text, { add_special_tokens: false }).ids);
    if (text.length <= MAX_CACHED_LENGTH) {
      if (this.#cache.size >= MAX_CACHE_SIZE) this.#cache.clear();
      this.#cache.set(text, ids.slice());
    }
    return ids;
  }

  /**
   * Text of tokens, special ones included.
   *
   * @throws {RangeError} If an id is not below `vocabSize`.
   */
  decode(ids: Iterable<number>): string {
    const list = [...ids];
    const stranger = list.find((id) => this.#tokenizer.id_to_token(id) === undefined);
    if (stranger !== undefined) {
      throw new RangeError(
        `Cannot decode tokens: every id must be in the vocabulary of ${this.vocabSize}, got ${stranger}`,
      );
    }
    if (list.length === 0) return "";
    return this.#tokenizer.decode(list, { clean_up_tokenization_spaces: false });
  }
}

function idOf(tokenizer: HuggingFaceTokenizer, role: string, token: string): number {
  const id = tokenizer.token_to_id(token);
  if (id === undefined) {
    throw new RangeError(
      `Cannot load a tokenizer: its vocabulary must contain the ${role} ${JSON.stringify(token)}, ` +
        "got none (name the token that has this role)",
    );
  }
  return id;
}
