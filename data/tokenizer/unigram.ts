/** How much less probable an unknown character is than the least probable token. */
const UNKNOWN_PENALTY = 10;

const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;

/** A unigram model. */
export interface UnigramOptions {
  /** Token and log-probability, by id. */
  readonly vocab: readonly (readonly [token: string, score: number])[];
  /** Id of the token for characters that no token covers. */
  readonly unknownId: number;
  /** Whether tokens `<0x0A>` are bytes, which text never spells. */
  readonly hasBytes: boolean;
  /** What stands for text that no token covers. */
  readonly unknown: (text: string) => readonly string[];
}

/**
 * Cuts text into the tokens whose log-probabilities add up to most (Viterbi's algorithm).
 *
 * Time O(n · length of the longest token · log(vocabulary)), memory O(n).
 *
 * @see {@link https://arxiv.org/abs/1804.10959 | Kudo 2018}
 */
export class Unigram {
  readonly #options: UnigramOptions;
  /** Tokens in the order of their UTF-16 units; those with a common beginning lie side by side. */
  readonly #sorted: readonly string[];
  readonly #scores: Float64Array;
  readonly #unknownScore: number;

  constructor(options: UnigramOptions) {
    this.#options = options;
    const { vocab, unknownId, hasBytes } = options;
    const order = vocab.flatMap(([token], id) => {
      const isText = token !== "" && id !== unknownId && !(hasBytes && BYTE_TOKEN.test(token));
      return isText ? [id] : [];
    });
    order.sort((a, b) => (vocab[a]![0] < vocab[b]![0] ? -1 : 1));
    this.#sorted = order.map((id) => vocab[id]![0]);
    this.#scores = Float64Array.from(order, (id) => vocab[id]![1]);
    let least = Infinity;
    for (const [, score] of vocab) least = Math.min(least, score);
    this.#unknownScore = least - UNKNOWN_PENALTY;
  }

  /** Tokens of a text. */
  encode(text: string): string[] {
    const starts = this.#bestStarts(text);
    const ends: number[] = [];
    for (let end = text.length; end > 0; end = Math.abs(starts[end]!) - 1) ends.push(end);
    const tokens: string[] = [];
    let unknown = "";
    for (const end of ends.toReversed()) {
      const start = starts[end]!;
      const piece = text.slice(Math.abs(start) - 1, end);
      if (start < 0) {
        unknown += piece;
        continue;
      }
      if (unknown !== "") tokens.push(...this.#options.unknown(unknown));
      unknown = "";
      tokens.push(piece);
    }
    if (unknown !== "") tokens.push(...this.#options.unknown(unknown));
    return tokens;
  }

  /** For each end of a best path, 1 + where its last token starts, negative if that is unknown. */
  #bestStarts(text: string): Int32Array {
    const best = new Float64Array(text.length + 1).fill(-Infinity);
    const starts = new Int32Array(text.length + 1);
    best[0] = 0;
    const offer = (start: number, end: number, candidate: { score: number; sign: number }) => {
      const score = best[start]! + candidate.score;
      if (starts[end] !== 0 && score <= best[end]!) return;
      best[end] = score;
      starts[end] = candidate.sign * (start + 1);
    };
    for (let start = 0; start < text.length;) {
      const width = text.codePointAt(start)! > 0xffff ? 2 : 1;
      let hasSingle = false;
      for (const [length, score] of this.#tokensAt(text, start)) {
        offer(start, start + length, { score, sign: 1 });
        hasSingle ||= length === width;
      }
      if (!hasSingle) offer(start, start + width, { score: this.#unknownScore, sign: -1 });
      start += width;
    }
    return starts;
  }

  /** Lengths and scores of the tokens that begin at a place, the shortest first. */
  #tokensAt(text: string, start: number): [length: number, score: number][] {
    const found: [number, number][] = [];
    const sorted = this.#sorted;
    let [low, high] = [0, sorted.length];
    for (let length = 1; low < high && start + length <= text.length; length++) {
      const unit = text.charCodeAt(start + length - 1);
      low = this.#firstAtLeast(unit, length - 1, [low, high]);
      high = this.#firstAtLeast(unit + 1, length - 1, [low, high]);
      if (low < high && sorted[low]!.length === length) found.push([length, this.#scores[low]!]);
    }
    return found;
  }

  /** First token of a range whose unit at `at` is at least `unit`; tokens that end there are less. */
  #firstAtLeast(unit: number, at: number, [from, to]: readonly [number, number]): number {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = (low + high) >> 1;
      const token = this.#sorted[middle]!;
      if (at < token.length && token.charCodeAt(at) >= unit) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
