import { ALPHABET_INDEX_OF_BYTE, BYTE_ALPHABET } from "./byte_level.ts";
import { MaxHeap } from "./max_heap.ts";
import { compilePattern, splitPieces } from "./pieces.ts";
import { tokenizerJson, type TokenizerJson } from "./tokenizer_json.ts";

/** How to train a tokenizer. */
export interface TrainBpeOptions {
  /** Tokens wanted, special ones and the 256 bytes included; fewer if the texts have no more. */
  readonly vocabSize: number;
  /** Regular expression of the pieces within which bytes may merge, in the common syntax of JavaScript and Oniguruma. */
  readonly pattern: string;
  /** Texts that are one token each and never merge; they get the first ids. */
  readonly specialTokens: readonly string[];
  /**
   * Stops when no pair is left that occurs as often.
   *
   * @default {2}
   */
  readonly minCount?: number;
}

/** Pairs of ids are keyed as left · 2²⁰ + right, which orders them and stays exact. */
const MAX_VOCAB_SIZE = 2 ** 20;

/**
 * Trains a byte-level BPE tokenizer: merges the commonest pair of tokens, again and again.
 *
 * Texts are cut into pieces and counted once per distinct piece. The result depends on the
 * counts alone, not on the order of the texts: of equally common pairs the one with the lower
 * left id merges first, then the lower right id. A merge that spells a token there already is
 * reuses its id.
 *
 * Time: the pieces that contain a merged pair, per merge. Memory: the distinct pieces.
 *
 * @see {@link https://arxiv.org/abs/1508.07909 | Sennrich et al., 2016}
 *
 * @returns The content of a `tokenizer.json`.
 * @throws {RangeError} If an option is out of range, or special tokens repeat.
 * @throws {SyntaxError} If `pattern` is not a regular expression.
 */
export function trainBpe(texts: Iterable<string>, options: TrainBpeOptions): TokenizerJson {
  const { vocabSize, pattern, specialTokens, minCount = 2 } = options;
  checkOptions(options);
  const vocab = [...specialTokens, ...BYTE_ALPHABET];
  const idOf = new Map(vocab.map((token, id) => [token, id]));
  const merges: (readonly [string, string])[] = [];
  const words = new Words(countPieces(texts, options), specialTokens.length);

  while (vocab.length < vocabSize) {
    const pair = words.commonest();
    if (pair === undefined || pair.count < minCount) break;
    const { left, right } = pair;
    const [leftToken, rightToken] = [vocab[left]!, vocab[right]!];
    const token = leftToken + rightToken;
    let id = idOf.get(token);
    if (id === undefined) {
      id = vocab.length;
      vocab.push(token);
      idOf.set(token, id);
    }
    merges.push([leftToken, rightToken]);
    words.merge(left, right, id);
  }
  return tokenizerJson({ vocab, merges, pattern, specialTokens });
}

/** Counts distinct pieces; special tokens in the texts separate pieces and are not counted. */
function countPieces(
  texts: Iterable<string>,
  { pattern, specialTokens }: TrainBpeOptions,
): Map<string, number> {
  const compiled = compilePattern(pattern);
  const escaped = specialTokens
    .toSorted((a, b) => b.length - a.length)
    .map((token) => token.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  const special = escaped.length === 0 ? undefined : new RegExp(escaped.join("|"), "u");
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const section of special === undefined ? [text] : text.split(special)) {
      for (const piece of splitPieces(section, compiled)) {
        counts.set(piece, (counts.get(piece) ?? 0) + 1);
      }
    }
  }
  return counts;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/** The distinct pieces as sequences of token ids, with the counts of their adjacent pairs. */
class Words {
  readonly #ids: number[][] = [];
  readonly #counts: number[] = [];
  readonly #pairCounts = new Map<number, number>();
  /** Words that contain a pair, or did: a superset. */
  readonly #wordsOfPair = new Map<number, Set<number>>();
  /** Every pair with its count, and stale entries of pairs whose count has changed since. */
  readonly #heap = new MaxHeap();

  constructor(pieces: ReadonlyMap<string, number>, firstByteId: number) {
    const encoder = new TextEncoder();
    for (const [piece, count] of pieces) {
      const word = this.#ids.length;
      const ids = Array.from(
        encoder.encode(piece),
        (byte) => firstByteId + ALPHABET_INDEX_OF_BYTE[byte]!,
      );
      this.#ids.push(ids);
      this.#counts.push(count);
      this.#add(word, count, undefined);
    }
    for (const [key, count] of this.#pairCounts) this.#heap.push(count, key);
  }

  /** The pair with the highest count, of equals the lowest; taken off the heap. */
  commonest(): Pair | undefined {
    for (let top = this.#heap.pop(); top !== undefined; top = this.#heap.pop()) {
      const { priority: count, key } = top;
      if (this.#pairCounts.get(key) === count) {
        return { left: Math.floor(key / MAX_VOCAB_SIZE), right: key % MAX_VOCAB_SIZE, count };
      }
    }
    return undefined;
  }

  /** Replaces the pair by `id` in every word, from left to right. */
  merge(left: number, right: number, id: number): void {
    const changed = new Set<number>();
    for (const word of this.#wordsOfPair.get(pairKey(left, right)) ?? []) {
      const ids = this.#ids[word]!;
      const merged: number[] = [];
      for (let i = 0; i < ids.length; i++) {
        if (ids[i] === left && ids[i + 1] === right) {
          merged.push(id);
          i++;
        } else {
          merged.push(ids[i]!);
        }
      }
      if (merged.length === ids.length) continue;
      const count = this.#counts[word]!;
      this.#add(word, -count, changed);
      this.#ids[word] = merged;
      this.#add(word, count, changed);
    }
    this.#wordsOfPair.delete(pairKey(left, right));
    for (const key of changed) {
      const count = this.#pairCounts.get(key) ?? 0;
      if (count > 0) this.#heap.push(count, key);
      else this.#pairCounts.delete(key);
    }
  }

  /** Adds `count` (or takes it away) for every pair of the word. */
  #add(word: number, count: number, changed: Set<number> | undefined): void {
    const ids = this.#ids[word]!;
    for (let i = 1; i < ids.length; i++) {
      const key = pairKey(ids[i - 1]!, ids[i]!);
      this.#pairCounts.set(key, (this.#pairCounts.get(key) ?? 0) + count);
      changed?.add(key);
      if (count < 0) continue;
      const words = this.#wordsOfPair.get(key);
      if (words === undefined) this.#wordsOfPair.set(key, new Set([word]));
      else words.add(word);
    }
  }
}

function pairKey(left: number, right: number): number {
  return left * MAX_VOCAB_SIZE + right;
}

function checkOptions({ vocabSize, specialTokens, minCount = 2 }: TrainBpeOptions): void {
  const least = specialTokens.length + BYTE_ALPHABET.length;
  if (!Number.isInteger(vocabSize) || vocabSize < least || vocabSize > MAX_VOCAB_SIZE) {
    throw new RangeError(
      `Cannot train a tokenizer: vocabSize must be an integer in [${least}, ${MAX_VOCAB_SIZE}] ` +
        `(256 bytes and ${specialTokens.length} special tokens), got ${vocabSize}`,
    );
  }
  if (!Number.isInteger(minCount) || minCount < 1) {
    throw new RangeError(
      `Cannot train a tokenizer: minCount must be an integer of at least 1, got ${minCount}`,
    );
  }
  const distinct = new Set([...specialTokens, ...BYTE_ALPHABET]);
  if (distinct.size < least || distinct.has("")) {
    throw new RangeError(
      "Cannot train a tokenizer: special tokens must be different, not empty and longer than " +
        `a byte, got ${JSON.stringify(specialTokens)}`,
    );
  }
}
