import { MaxHeap } from "./max_heap.ts";
import { MAX_TOKENS } from "./vocabulary_check.ts";

/** Words up to this length are remembered with their tokens. */
const MAX_CACHED_LENGTH = 256;
const MAX_CACHE_SIZE = 2 ** 14;

/** What a BPE model does beside merging. */
export interface BpeOptions {
  /** Goes behind the last character of a word before that is looked up. */
  readonly endOfWordSuffix: string;
  /** Whether a word that is a token is taken whole, whatever the merges. */
  readonly ignoreMerges: boolean;
  /** What stands for a character that has no token: none, or several. */
  readonly unknown: (character: string) => readonly string[];
}

/**
 * Byte-pair encoding of one word: of all adjacent pairs that may merge, the first of the list
 * merges first, of equals the leftmost.
 *
 * Time O(n log n) and memory O(n) in the word's length: a word of a million characters takes about
 * a second.
 */
export class Bpe {
  readonly #tokens: readonly (string | undefined)[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #options: BpeOptions;
  /** Place in the list of merges by left · 2²² + right. */
  readonly #ranks = new Map<number, number>();
  /** What each merge yields. */
  readonly #merged: Int32Array;
  readonly #cache = new Map<string, readonly string[]>();

  /**
   * @param tokens By id; both sides and the union of each merge must be there.
   * @param merges In the order of merging.
   */
  constructor(
    tokens: readonly (string | undefined)[],
    merges: readonly (readonly [left: string, right: string])[],
    options: BpeOptions,
  ) {
    this.#tokens = tokens;
    this.#options = options;
    const ids = new Map<string, number>();
    for (const [id, token] of tokens.entries()) if (token !== undefined) ids.set(token, id);
    this.#ids = ids;
    this.#merged = new Int32Array(merges.length);
    for (const [rank, [left, right]] of merges.entries()) {
      // Of a pair that is listed twice, libraries go by the last.
      this.#ranks.set(ids.get(left)! * MAX_TOKENS + ids.get(right)!, rank);
      this.#merged[rank] = ids.get(left + right)!;
    }
  }

  /** Tokens of a word. */
  encode(word: string): readonly string[] {
    if (this.#options.ignoreMerges && this.#ids.has(word)) return [word];
    const cached = this.#cache.get(word);
    if (cached !== undefined) return cached;
    const tokens = this.#merge(word);
    if (word.length <= MAX_CACHED_LENGTH) {
      if (this.#cache.size >= MAX_CACHE_SIZE) this.#cache.clear();
      this.#cache.set(word, tokens);
    }
    return tokens;
  }

  #merge(word: string): readonly string[] {
    const characters = Array.from(word);
    const { length } = characters;
    const suffix = this.#options.endOfWordSuffix;
    // Symbols are a linked list: id (−1 unknown, −2 merged into the one before) and neighbors.
    const ids = Int32Array.from(
      characters,
      (text, i) => this.#ids.get(i === length - 1 ? text + suffix : text) ?? -1,
    );
    const next = Int32Array.from(characters, (_, i) => i + 1);
    const previous = Int32Array.from(characters, (_, i) => i - 1);
    const heap = new MaxHeap();
    const offer = (at: number) => {
      const rank = at < 0 ? undefined : this.#rank(ids[at]!, ids[next[at]!] ?? -1);
      if (rank !== undefined) heap.push(-rank, at);
    };
    for (let i = 0; i < length; i++) offer(i);
    for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
      const { priority, key: at } = top;
      const right = next[at]!;
      // Entries whose symbols have merged with others since are stale.
      if (this.#rank(ids[at]!, ids[right] ?? -1) !== -priority) continue;
      ids[at] = this.#merged[-priority]!;
      ids[right] = -2;
      next[at] = next[right]!;
      if (next[at] < length) previous[next[at]] = at;
      offer(previous[at]!);
      offer(at);
    }
    return this.#texts(ids, characters);
  }

  #rank(left: number, right: number): number | undefined {
    return left < 0 || right < 0 ? undefined : this.#ranks.get(left * MAX_TOKENS + right);
  }

  #texts(ids: Int32Array, characters: readonly string[]): string[] {
    const texts: string[] = [];
    for (const [i, id] of ids.entries()) {
      if (id >= 0) texts.push(this.#tokens[id]!);
      else if (id === -1) texts.push(...this.#options.unknown(characters[i]!));
    }
    return texts;
  }
}
