import { withoutFirstSpace } from "./continuation.ts";
import type { DecodeStep } from "./decode_steps.ts";
import { type MakeDecoder, readDecoder } from "./decoder.ts";
import { type EncodeText, loadEncoder } from "./library.ts";
import { findRoles, type RoleIds, type RoleSources } from "./roles.ts";
import { TextStream } from "./text_stream.ts";
import { type CheckedTokenizer, checkTokenizerJson } from "./tokenizer_check.ts";

export { PAD_TOKEN, type TokenizerRoles } from "./roles.ts";

/** What tells a tokenizer the roles of its tokens. */
export type TokenizerOptions = RoleSources;

/** How to encode a text. */
export interface EncodeOptions {
  /**
   * Whether to put the tokens before and after the text that the file says a model expects, such
   * as `<s>`.
   *
   * @default {false}
   */
  readonly addSpecialTokens?: boolean;
  /**
   * Whether the text follows other text of the same document: without the space that some
   * tokenizers, such as SentencePiece's, put before the first word.
   *
   * @default {false}
   */
  readonly continues?: boolean;
}

/** How to decode tokens. */
export interface DecodeOptions {
  /**
   * Whether to leave special tokens out.
   *
   * @default {false}
   */
  readonly skipSpecialTokens?: boolean;
}

/** How tokens become text. */
export interface Decoding {
  /** Text of a token; `undefined` if it is left out. */
  readonly tokenOf: (id: number) => string | undefined;
  /** Made anew for each text. */
  readonly steps: readonly DecodeStep[];
}

/** Longest text encoded at once: one piece that long still encodes in seconds. */
const MAX_TEXT_LENGTH = 2 ** 20;

/** Texts up to this length are remembered with their tokens: titles, rows, headers. */
const MAX_CACHED_LENGTH = 256;
const MAX_CACHE_SIZE = 2 ** 16;

const LONE_SURROGATE = /\p{Cs}/u;

/**
 * Text to token ids and back, by a Hugging Face `tokenizer.json`: BPE, unigram or WordPiece.
 *
 * @example
 * ```ts ignore
 * const tokenizer = Tokenizer.fromJson(JSON.parse(text), { config: JSON.parse(configText) });
 * const ids = tokenizer.encode("1996 (some college): Cooks\n");
 * ```
 */
export class Tokenizer {
  /** Number of ids: the rows a model's embedding must have. */
  readonly vocabSize: number;
  /** Id of the token that begins a document, if the tokenizer has one. */
  readonly beginId: number | undefined;
  readonly #roles: RoleIds;
  readonly #encode: EncodeText;
  /** As `#encode`, for texts that follow others. */
  readonly #encodeNext: () => EncodeText;
  readonly #makeDecoder: MakeDecoder;
  readonly #tokens: readonly (string | undefined)[];
  readonly #special: ReadonlySet<number>;
  readonly #ends: { readonly begin: boolean; readonly end: boolean };
  readonly #cache = new Map<string, Uint32Array<ArrayBuffer>>();
  readonly #nextCache = new Map<string, Uint32Array<ArrayBuffer>>();

  private constructor(json: object, checked: CheckedTokenizer, options: TokenizerOptions) {
    const { tokens, added } = checked;
    const ids = new Map<string, number>();
    for (const [id, token] of tokens.entries()) if (token !== undefined) ids.set(token, id);
    const addedTexts = new Set(added.map(({ content }) => content));
    this.#encode = loadEncoder(json, checked);
    const next = withoutFirstSpace(json);
    let encodeNext = next === json ? this.#encode : undefined;
    this.#encodeNext = () => (encodeNext ??= loadEncoder(next, checked));
    const { decoder } = Object.fromEntries(Object.entries(json));
    this.#makeDecoder = readDecoder(decoder, (token) => addedTexts.has(token));
    this.#tokens = tokens;
    this.#special = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.#roles = findRoles(
      options,
      (token) => ids.get(token),
      (id) => tokens[id],
    );
    const config: Record<string, unknown> = Object.fromEntries(
      Object.entries(options.config ?? {}),
    );
    this.#ends = { begin: config["add_bos_token"] === true, end: config["add_eos_token"] === true };
    this.vocabSize = tokens.length;
    this.beginId = this.#roles.beginId;
  }

  /**
   * Loads a tokenizer.
   *
   * @param json The parsed content of a `tokenizer.json`.
   * @throws {SyntaxError} If `json` is not a tokenizer, or of a kind that is not supported.
   * @throws {RangeError} If it lacks a token that the options name.
   */
  static fromJson(json: object, options: TokenizerOptions = {}): Tokenizer {
    return new Tokenizer(json, checkTokenizerJson(json), options);
  }

  /** Whether the tokenizer has a token that ends documents, so that `endId` can be read. */
  get hasEnd(): boolean {
    return this.#roles.endId !== undefined;
  }

  /**
   * Id of the token that ends a document.
   *
   * @throws {RangeError} If the tokenizer has none.
   */
  get endId(): number {
    return roleId(this.#roles.endId, "endToken");
  }

  /**
   * Id of the token that fills rows of a batch: the end token where there is none for that.
   *
   * @throws {RangeError} If the tokenizer has neither.
   */
  get padId(): number {
    return roleId(this.#roles.padId, "padToken");
  }

  /** Text of a token in the vocabulary, as the file writes it; `undefined` if the id is none. */
  token(id: number): string | undefined {
    return this.#tokens[id];
  }

  /**
   * Tokens of a text. Special tokens in it count as such.
   *
   * Time: O(n log n) in the longest piece; short texts are remembered.
   *
   * @throws {RangeError} If the text is longer than 1,048,576 UTF-16 units or has half a
   * surrogate pair, which no bytes can express.
   */
  encode(text: string, options: EncodeOptions = {}): Uint32Array<ArrayBuffer> {
    if (options.addSpecialTokens === true) return this.#encodeWhole(checkText(text));
    const isNext = options.continues === true;
    const cache = isNext ? this.#nextCache : this.#cache;
    const cached = cache.get(text);
    if (cached !== undefined) return cached.slice();
    const encode = isNext ? this.#encodeNext() : this.#encode;
    const ids = Uint32Array.from(encode(checkText(text), false));
    if (text.length <= MAX_CACHED_LENGTH) {
      if (cache.size >= MAX_CACHE_SIZE) cache.clear();
      cache.set(text, ids.slice());
    }
    return ids;
  }

  /** Some files leave it to their configuration to add the tokens at the ends. */
  #encodeWhole(text: string): Uint32Array<ArrayBuffer> {
    const ids = this.#encode(text, true);
    const { beginId, endId } = this.#roles;
    if (this.#ends.begin && beginId !== undefined && ids[0] !== beginId) ids.unshift(beginId);
    if (this.#ends.end && endId !== undefined && ids.at(-1) !== endId) ids.push(endId);
    return Uint32Array.from(ids);
  }

  /**
   * Text of tokens, special ones included unless told otherwise.
   *
   * Bytes that are no UTF-8 become U+FFFD.
   *
   * @throws {RangeError} If an id is not in the vocabulary.
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const stream = new TextStream(this, options);
    const parts: string[] = [];
    for (const id of ids) parts.push(stream.push(id));
    parts.push(stream.end());
    return parts.join("");
  }

  /** What a {@linkcode TextStream} is made of. */
  decoding(options: DecodeOptions = {}): Decoding {
    const { skipSpecialTokens = false } = options;
    const tokenOf = (id: number): string | undefined => {
      const token = this.#tokens[id];
      if (token === undefined) {
        throw new RangeError(
          `Cannot decode tokens: every id must be in the vocabulary of ${this.vocabSize}, got ${id}`,
        );
      }
      return skipSpecialTokens && this.#special.has(id) ? undefined : token;
    };
    return { tokenOf, steps: this.#makeDecoder() };
  }
}

function checkText(text: string): string {
  if (text.length > MAX_TEXT_LENGTH || LONE_SURROGATE.test(text)) {
    throw new RangeError(
      `Cannot encode text: it must be well-formed and at most ${MAX_TEXT_LENGTH} characters ` +
        `long (encode it in parts), got ${text.length} characters`,
    );
  }
  return text;
}

function roleId(id: number | undefined, role: string): number {
  if (id !== undefined) return id;
  throw new RangeError(
    `Cannot use a tokenizer: it must have a token that ends documents, got none (name one as ` +
      `${role} when it is loaded)`,
  );
}
