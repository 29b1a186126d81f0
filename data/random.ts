/** State of a {@linkcode Random}, to be stored and restored. */
export type RandomState = readonly [number, number, number, number];

/**
 * A seeded stream of random numbers for the host: xoshiro128\*\* 1.1, period 2¹²⁸ − 1.
 *
 * A stream is named by any number of keys, so that each purpose draws from its own:
 * `Random.from(seed, "batches", epoch)` is independent of `Random.from(seed, "split")`.
 *
 * @see {@link https://arxiv.org/abs/1805.01407 | Blackman & Vigna, 2018}
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 *
 * assert.equal(Random.from(7, "demo").below(10), Random.from(7, "demo").below(10));
 * ```
 */
export class Random {
  readonly #state: Uint32Array;

  /**
   * Continues a stored stream.
   *
   * @param state What {@linkcode Random.state} returned.
   * @throws {RangeError} If `state` is all zeros, from which the generator never leaves.
   */
  constructor(state: RandomState) {
    this.#state = Uint32Array.from(state);
    if (this.#state.every((word) => word === 0)) {
      throw new RangeError("Cannot seed a Random: the state must have a bit set, got four zeros");
    }
  }

  /** Opens the stream named by `keys`, the first of which is customarily the user's seed. */
  static from(...keys: readonly (string | number)[]): Random {
    const name = JSON.stringify(keys);
    const state: RandomState = [hash32(name, 1), hash32(name, 2), hash32(name, 3), hash32(name, 4)];
    return new Random(state.some((word) => word !== 0) ? state : [1, 0, 0, 0]);
  }

  /** The state, to be given to the constructor later. */
  get state(): RandomState {
    const s = this.#state;
    return [s[0]!, s[1]!, s[2]!, s[3]!];
  }

  /** The next 32 random bits, as an integer in [0, 2³²). */
  uint32(): number {
    const s = this.#state;
    const [s0, s1] = [s[0]!, s[1]!];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const u2 = s[2]! ^ s0;
    const u3 = s[3]! ^ s1;
    s[0] = s0 ^ u3;
    s[1] = s1 ^ u2;
    s[2] = u2 ^ (s1 << 9);
    s[3] = rotateLeft(u3, 11);
    return result;
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /**
   * An integer in [0, bound), every one equally likely.
   *
   * @throws {RangeError} If `bound` is not an integer in [1, 2³²].
   */
  below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32) {
      throw new RangeError(
        `Cannot draw a random integer: the bound must be an integer in [1, 2³²], got ${bound}`,
      );
    }
    // Draws at or above the largest multiple of the bound would favor small results.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % bound;
  }

  /** A shuffled copy of `items` (Fisher and Yates): every order is equally likely. */
  shuffle<Item>(items: Iterable<Item>): Item[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
    }
    return shuffled;
  }
}

const UTF8 = new TextEncoder();

/**
 * MurmurHash3 (x86, 32 bits) of the UTF-8 bytes of `text`: well mixed, not for secrets.
 *
 * @see {@link https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp | Appleby, 2011}
 *
 * @returns An integer in [0, 2³²).
 */
export function hash32(text: string, seed: number): number {
  const bytes = UTF8.encode(text);
  const tail = bytes.length & ~3;
  let hash = seed >>> 0;
  for (let i = 0; i < tail; i += 4) {
    hash ^= scramble(littleEndian(bytes, i));
    hash = (Math.imul(rotateLeft(hash, 13), 5) + 0xe6546b64) | 0;
  }
  if (tail < bytes.length) hash ^= scramble(littleEndian(bytes, tail));
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(word: number): number {
  return Math.imul(rotateLeft(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
}

/** Up to four bytes from `at` on as one little-endian word; bytes past the end are 0. */
function littleEndian(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let i = 0; i < 4; i++) word |= (bytes[at + i] ?? 0) << (8 * i);
  return word;
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
